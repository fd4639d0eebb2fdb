//! No escape: an attribute below this one that puts statements where the function was. They run after bind.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("escape")]
#[statements::look_first]
fn main(_: Bound) {}
