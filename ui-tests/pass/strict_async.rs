//! The same below an executor.

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

#[brokered_daemon("strict-async")]
#[tokio::main(flavor = "current_thread")]
async fn main(bound: Bound) {
    tokio::task::yield_now().await;
    assert!(bound.instance().name().is_none());
}
