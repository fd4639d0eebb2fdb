//! No lint has anything to say about what the attribute makes of this. Users of other attributes have complained about
//! `unwrap_used`, `expect_used` and `unwrap_in_result` (<https://github.com/tokio-rs/tokio/issues/3887>,
//! <https://github.com/tokio-rs/tokio/issues/7650>), and about `unused_qualifications`
//! (<https://github.com/tokio-rs/tokio/pull/7866>).

#![deny(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    clippy::absolute_paths,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::default_numeric_fallback,
    clippy::exit,
    clippy::expect_used,
    clippy::items_after_statements,
    clippy::let_underscore_untyped,
    clippy::panic,
    clippy::question_mark_used,
    clippy::shadow_reuse,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    clippy::wildcard_imports,
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
