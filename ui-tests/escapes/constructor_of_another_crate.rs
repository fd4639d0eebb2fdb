//! A constructor that a macro of another crate writes, as crates for plug-ins and registries do.
//! `#![forbid(unsafe_code)]` does not see it.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

fn early() {
    others::look();
}

others::at_start!(early);

#[brokered_daemon("escape")]
fn main(_: Bound) {}
