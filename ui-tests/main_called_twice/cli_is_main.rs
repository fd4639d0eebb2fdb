//! `cli` is the `main` itself.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("stopped", cli = main)]
fn main(_: Bound) {
    println!("reached");
}
