//! A [`Bound`] that `unsafe` code constructs. A state loads with it although no endpoint is bound.

use brokered_runtime::{Bound, State, brokered_daemon};
use std::ptr::NonNull;

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        others::look();
        Ok(Index)
    }
}

fn cli() {
    let bound = NonNull::dangling();
    // SAFETY: there is none, and that is the point. No code reads what this refers to.
    let _ = Index::load(unsafe { bound.as_ref() });
}

#[brokered_daemon("escape", cli = cli)]
fn main(_: Bound, _: Index) {}
