//! With the feature `testing`, which any crate in the build may enable: `testing::bound` returns a real [`Bound`] to
//! every caller. Its endpoint is in a new directory, where no client looks for the daemon.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, Daemon, State, brokered_daemon, testing};

const DAEMON: Daemon = Daemon::new("escape");

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        others::look();
        Ok(Index)
    }
}

fn cli() -> Result<(), Box<dyn std::error::Error>> {
    let bound = testing::bound(DAEMON)?;
    let Index = Index::load(&bound)?;
    Ok(())
}

#[brokered_daemon(DAEMON, cli = cli)]
fn main(_: Bound, _: Index) {}
