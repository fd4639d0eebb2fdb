//! A daemon whose `main` calls itself.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("reenter-main")]
fn main(_bound: Bound) {
    let again: fn() -> _ = main;
    let _ = again();
    println!("never reached");
}
