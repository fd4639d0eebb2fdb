//! A `#[global_allocator]`, and what it calls. The standard library allocates memory before `main`.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

fn early() {
    others::look();
}

#[global_allocator]
static ALLOCATOR: others::Hooked = others::Hooked::new(early);

#[brokered_daemon("escape")]
fn main(_: Bound) {}
