//! A daemon whose `main` enters itself once more.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("twice")]
fn main(_bound: Bound) {
    let again: fn() -> _ = main;
    let _ = again();
    println!("never reached");
}
