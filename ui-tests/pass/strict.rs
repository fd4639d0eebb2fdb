//! No lint has anything to say about what the attribute makes of this.

#![deny(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    future_incompatible,
    let_underscore,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    warnings
)]
#![forbid(unsafe_code)]

use std::io;

use brokered_runtime::{Bound, Daemon, State, brokered_daemon};

/// The daemon.
pub const STRICT: Daemon = Daemon::new("strict");

/// A state.
#[derive(Debug)]
struct Index {
    words: Vec<String>,
}

impl State for Index {
    type Error = io::Error;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self { words: Vec::new() })
    }
}

/// Whatever is not the daemon.
fn cli() -> io::Result<()> {
    io::Write::write_all(&mut io::stdout(), b"client\n")
}

#[brokered_daemon(STRICT, cli = cli, help = none)]
fn main(bound: Bound, index: Index, second: Index) -> io::Result<()> {
    if index.words.len() == second.words.len() {
        Ok(())
    } else {
        bound.serve(|_| Ok(()))
    }
}
