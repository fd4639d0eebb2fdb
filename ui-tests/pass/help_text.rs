use brokered_runtime::{Bound, brokered_daemon};

const HELP: &str = "help of its own\n";

#[brokered_daemon("help-text", help = HELP)]
fn main(_: Bound) {}
