//! A constructor, written by hand into `.init_array`. In edition 2021 it needs no visible `unsafe`.
//! `#![forbid(unsafe_code)]` refuses it in every edition.

use brokered_runtime::{Bound, brokered_daemon};

extern "C" fn early() {
    others::look();
}

#[used]
#[link_section = ".init_array"]
static EARLY: extern "C" fn() = early;

#[brokered_daemon("escape")]
fn main(_: Bound) {}
