use std::process::Termination;

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("returns-some-termination")]
fn main(_: Bound) -> impl Termination {}
