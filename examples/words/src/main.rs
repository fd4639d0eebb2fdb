//! Finds the lines that contain all given words, in all files of a directory tree.
//!
//! The first search in a directory launches a daemon, which reads the tree. The daemon keeps running and answers the next
//! searches from memory. `README.md` shows the usage.

#![forbid(unsafe_code)]

mod cli;
mod client;
mod file_stamp;
mod mutex;
mod postings;
mod progress;
mod protocol;
mod query;
mod segment;
mod serve;
mod text;
mod tree;
mod walk;
mod watch;

use std::{io, time::Instant};

use brokered_runtime::{Bound, Daemon, State, brokered_daemon};

use crate::tree::Tree;

/// The daemon, with one instance for each directory. It ends after ten minutes without clients. Its contract number is the
/// version of the protocol in [`protocol`].
pub const WORDS: Daemon = Daemon::new("words").per_directory().idle_exit_secs(600);

impl State for Tree {
    type Error = anyhow::Error;

    fn load(bound: &Bound) -> anyhow::Result<Self> {
        let began = Instant::now();
        let handle = bound.handle();
        let report = |done, total| handle.set_status(&format!("{done} of {total} files read"));
        let tree = Self::read_with_progress(bound.instance().directory(), &report)?;
        // A launched daemon writes this to its log.
        eprintln!(
            "words: {} read in {:.1} s: {}",
            tree.root().display(),
            began.elapsed().as_secs_f32(),
            tree.current().size()
        );
        Ok(tree)
    }
}

#[brokered_daemon(WORDS, cli = cli::run)]
fn main(bound: Bound, tree: Tree) -> io::Result<()> {
    bound.serve(move |client| serve::client(&tree, client))
}
