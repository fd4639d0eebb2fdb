//! Attributes beside this one, above and below it.

use brokered_runtime::{Bound, brokered_daemon};

/// Above.
#[allow(unused_mut)]
#[brokered_daemon("attributes")]
#[deprecated]
/// Below.
#[expect(unused_variables)]
#[cfg(all())]
#[inline(never)]
#[cfg_attr(all(), cold)]
#[rustfmt::skip]
#[clippy::cognitive_complexity = "3"]
fn main(mut bound: Bound, ) {
    #![allow(unused_assignments)]
    let expected = 1;
}
