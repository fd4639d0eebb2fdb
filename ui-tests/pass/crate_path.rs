use brokered_runtime as renamed;
use renamed::{Bound, brokered_daemon};

#[brokered_daemon("crate-path", crate = self::renamed)]
fn main(_: Bound) {}
