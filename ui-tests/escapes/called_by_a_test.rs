//! A test in `cargo test`. The process starts with the test harness, so code that a test runs before it calls `main`
//! runs before bind.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("escape")]
fn main(_: Bound) {}

#[test]
fn main_ends_well() {
    others::look();
    let _ = main();
}
