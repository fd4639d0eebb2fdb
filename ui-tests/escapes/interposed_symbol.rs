//! A `#[no_mangle]` function with the name of a function in the C library. The standard library calls it instead. In
//! edition 2021 it needs no visible `unsafe`. `#![forbid(unsafe_code)]` refuses it in every edition.

use brokered_runtime::{Bound, brokered_daemon};
use std::sync::atomic::{AtomicBool, Ordering};

static IS_CALLED: AtomicBool = AtomicBool::new(false);

#[no_mangle]
pub extern "C" fn poll(_: usize, _: usize, _: i32) -> i32 {
    if !IS_CALLED.swap(true, Ordering::Relaxed) {
        others::look();
    }
    0
}

#[brokered_daemon("escape")]
fn main(_: Bound) {}
