//! `#![no_main]`, and a `main` symbol that calls the daemon's `main` later. In edition 2021 it needs no visible
//! `unsafe`. `#![forbid(unsafe_code)]` refuses it in every edition.

#![no_main]

use brokered_runtime::{Bound, brokered_daemon};

#[no_mangle]
#[export_name = "main"]
pub extern "C" fn start(_: i32, _: usize) -> i32 {
    others::look();
    let _ = main();
    0
}

#[brokered_daemon("escape")]
fn main(_: Bound) {}
