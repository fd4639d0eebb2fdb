//! Finds the lines that hold all given words, in all files of a directory tree.
//!
//! The first question about a directory starts a daemon, which reads the tree; it stays, and
//! answers the next ones from memory. `README.md` shows how it is used.

#![forbid(unsafe_code)]

mod cli;
mod client;
mod postings;
mod protocol;
mod query;
mod segment;
mod serve;
mod stamp;
mod sync;
mod text;
mod tree;
mod waiting;
mod walk;
mod watch;

use std::{io, time::Instant};

use brokered_runtime::{Bound, Daemon, State, brokered_daemon};

use crate::tree::Tree;

/// The daemon, one for each directory, which leaves when nobody has asked for ten minutes. Its contract number stands for what `protocol` describes.
pub const WORDS: Daemon = Daemon::new("words").per_directory().idle_exit_secs(600);

impl State for Tree {
    type Error = anyhow::Error;

    fn load(bound: &Bound) -> anyhow::Result<Self> {
        let began = Instant::now();
        let handle = bound.handle();
        let tell = |done, all| handle.set_status(&format!("{done} of {all} files read"));
        let tree = Self::read_and_tell(bound.instance().directory(), &tell)?;
        // To the terminal, when it runs there, else to its log.
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
