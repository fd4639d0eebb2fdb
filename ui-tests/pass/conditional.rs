//! With the attribute or without it, as the configuration has it.

#[cfg(all())]
use brokered_runtime::{Bound, brokered_daemon};

#[cfg_attr(all(), brokered_daemon("conditional"))]
#[cfg(all())]
fn main(_: Bound) {}

#[cfg(any())]
fn main() {}
