//! A constructor in assembly, `global_asm!`: no `unsafe` is in sight in any edition. `#![forbid(unsafe_code)]` refuses it.

use brokered_runtime::{Bound, brokered_daemon};

extern "C" fn early() {
    others::look();
}

std::arch::global_asm!(".pushsection .init_array, \"aw\"", ".quad {}", ".popsection", sym early);

#[brokered_daemon("escape")]
fn main(_: Bound) {}
