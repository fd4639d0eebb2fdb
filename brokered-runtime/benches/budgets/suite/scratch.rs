//! The scratch directory: a new runtime directory for each cold round.

use std::cell::Cell;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Result;

/// The environment variable with the scratch directory of this run. The process that created it also sets
/// `BROKERED_RUNTIME_DIR` to a directory inside.
const SCRATCH: &str = "BROKERED_BUDGETS_SCRATCH";
/// The name of this process's own runtime directory.
const BASE: &str = "base";

#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    created: Cell<usize>,
}

impl Scratch {
    /// `None` if this process was started without one.
    pub(super) fn from_environment() -> Option<Self> {
        std::env::var_os(SCRATCH).map(|path| Self {
            path: path.into(),
            created: Cell::new(0),
        })
    }

    /// Runs this program again with a scratch directory, and removes the directory afterwards. A process cannot set its own
    /// environment variables safely, so it sets those of a child.
    pub(super) fn run_this_program_again() -> Result<std::process::ExitStatus> {
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

    /// The runtime directory of this process.
    pub(super) fn base(&self) -> PathBuf {
        self.path.join(BASE)
    }

    /// Creates a new, empty directory with mode 0700.
    pub(super) fn directory(&self) -> Result<PathBuf> {
        let nth = self.created.replace(self.created.get() + 1);
        let path = self.path.join(nth.to_string());
        private_directory(&path)?;
        Ok(path)
    }
}

/// Creates a directory with the mode of a runtime directory.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// A directory on tmpfs, as `$XDG_RUNTIME_DIR` is, where there is one.
fn parent() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = runtime.into_iter().chain([PathBuf::from("/dev/shm")]);
    let writable = |path: &PathBuf| tempfile::tempfile_in(path).is_ok();
    candidates
        .into_iter()
        .find(writable)
        .unwrap_or_else(std::env::temp_dir)
}
