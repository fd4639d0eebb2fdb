//! A `return` of another type was let through: <https://github.com/tokio-rs/tokio/issues/4635>.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    drop(bound);
    return 1;
    ;
}
