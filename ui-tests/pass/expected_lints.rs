//! Lints that the user expects of `main`, and that it has.

use brokered_runtime::{Bound, brokered_daemon};

#[expect(clippy::needless_pass_by_value, reason = "a daemon's `main` owns its endpoint")]
#[brokered_daemon("expected-lints")]
fn main(bound: Bound) {
    assert!(bound.instance().name().is_none());
}
