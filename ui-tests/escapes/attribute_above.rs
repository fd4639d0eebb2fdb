//! Another attribute above this one. It receives the function first, and may make another one of it.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[statements::main_of_its_own]
#[brokered_daemon("escape")]
fn main(_: Bound) {}
