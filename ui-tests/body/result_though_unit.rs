//! A tail of another type was reported at `#[tokio::main]`: <https://github.com/tokio-rs/tokio/pull/3039>,
//! <https://github.com/tokio-rs/tokio/pull/3766>.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    drop(bound);
    Ok(())
}
