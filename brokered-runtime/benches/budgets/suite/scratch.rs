//! Runtime directories: a new one for each cold round.

use std::cell::Cell;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Result;

/// Holds the scratch directory of this run. The process that made it has set it in the environment, so that the
/// runtime directory in the environment is inside, too.
const SCRATCH: &str = "BROKERED_BUDGETS_SCRATCH";
/// The runtime directory of this run's own process, in there.
const BASE: &str = "base";

#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    made: Cell<usize>,
}

impl Scratch {
    /// `None` where this process hasn't been started with one yet.
    pub(super) fn from_environment() -> Option<Self> {
        std::env::var_os(SCRATCH).map(|path| Self {
            path: path.into(),
            made: Cell::new(0),
        })
    }

    /// Runs this program again, with a scratch directory that is removed when it has ended. A variable can't be set
    /// safely in a process that runs; so it's set in one that is about to.
    pub(super) fn around_this_program() -> Result<std::process::ExitStatus> {
        let scratch = tempfile::Builder::new()
            .prefix("budgets-")
            .tempdir_in(parent())?;
        let base = scratch.path().join(BASE);
        private_directory(&base)?;
        let mut again = std::process::Command::new(std::env::current_exe()?);
        again
            .args(std::env::args_os().skip(1))
            .env(SCRATCH, scratch.path());
        again.env("BROKERED_RUNTIME_DIR", base);
        Ok(again.status()?)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The runtime directory of this process itself.
    pub(super) fn base(&self) -> PathBuf {
        self.path.join(BASE)
    }

    /// A fresh directory, for its owner alone, empty.
    pub(super) fn directory(&self) -> Result<PathBuf> {
        let nth = self.made.replace(self.made.get() + 1);
        let path = self.path.join(nth.to_string());
        private_directory(&path)?;
        Ok(path)
    }
}

/// As a runtime directory has to be.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Where runtime directories are in earnest: in memory.
fn parent() -> PathBuf {
    let usual = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = usual.into_iter().chain([PathBuf::from("/dev/shm")]);
    let writable = |path: &PathBuf| tempfile::tempfile_in(path).is_ok();
    candidates
        .into_iter()
        .find(writable)
        .unwrap_or_else(std::env::temp_dir)
}
