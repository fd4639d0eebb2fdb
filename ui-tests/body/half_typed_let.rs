//! Where an attribute gives up on what it can't read, the compiler misses a `main` on top:
//! <https://github.com/async-rs/async-attributes/pull/24>.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let words = ;
}

fn other() {
    let _ = 1;
}
