//! A type that coerces to none was reported at `#[instrument]`: <https://github.com/tokio-rs/tracing/pull/2270>.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) -> Result<(), String> {
    drop(bound);
    Err("")
}
