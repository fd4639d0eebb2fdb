//! The same without anything to return, to load or to choose.

#![deny(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    missing_docs,
    unused,
    unused_qualifications,
    warnings
)]
#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("strict-unit")]
fn main(bound: Bound) {
    assert!(bound.instance().name().is_none());
}
