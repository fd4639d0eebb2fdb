//! A constructor in assembly, with `global_asm!`. It needs no visible `unsafe` in any edition.
//! `#![forbid(unsafe_code)]` refuses it.

use brokered_runtime::{Bound, brokered_daemon};

extern "C" fn early() {
    others::look();
}

std::arch::global_asm!(".pushsection .init_array, \"aw\"", ".quad {}", ".popsection", sym early);

#[brokered_daemon("escape")]
fn main(_: Bound) {}
