//! A `cli` that loads something, and would then be the daemon in the same process.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

fn cli() {
    println!("before bind");
    let _ = main();
}

#[brokered_daemon("stopped", cli = cli)]
fn main(_: Bound) {
    println!("reached");
}
