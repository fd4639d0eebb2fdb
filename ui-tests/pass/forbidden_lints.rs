//! Levels that nothing may lower any more.

#![forbid(
    future_incompatible,
    nonstandard_style,
    rust_2018_idioms,
    unused,
    unused_imports
)]

use std::convert::Infallible;

use brokered_runtime::{Bound, Daemon, State, brokered_daemon};

const DAEMON: Daemon = Daemon::new("forbidden-lints");

struct Index;

impl State for Index {
    type Error = Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

fn cli() {}

#[brokered_daemon(DAEMON, cli = cli)]
fn main(bound: Bound, _: Index) {
    assert!(bound.instance().name().is_none());
}
