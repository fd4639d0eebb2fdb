//! A library that is built as if it were a binary: by a build script that sets `CARGO_BIN_NAME`, or by another build
//! system than cargo. A caller of its `main` may run other code first.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

/// What the program calls first.
pub fn start() {
    others::look();
    let _ = main();
}

#[brokered_daemon("escape")]
fn main(_: Bound) {}
