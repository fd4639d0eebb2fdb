//! The `return` that is right was blamed: <https://github.com/tokio-rs/tokio/pull/7856>.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) -> () {
    if bound.instance().name().is_some() {
        return 1;
    }
    return ();
}
