//! A test, in `cargo test`: the process starts with the harness, and what a test does before it calls `main` is done
//! before bind.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("escape")]
fn main(_: Bound) {}

#[test]
fn main_ends_well() {
    others::look();
    let _ = main();
}
