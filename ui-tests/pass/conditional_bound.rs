//! A `Bound` under one name in one configuration and under another in the next.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("conditional-bound")]
fn main(#[cfg(all())] here: Bound, #[cfg(not(all()))] elsewhere: Bound) {
    drop(here);
}
