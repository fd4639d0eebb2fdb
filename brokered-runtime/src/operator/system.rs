//! Properties of the platform on which an operator's tool must agree with the daemons.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{self, Access};
use crate::refusal::{Advice, Refusal};
use crate::{handoff, identity, log_file};

/// The exit code of a daemon that finds that another process is this daemon.
///
/// A service manager should not restart a daemon that ended with it.
pub const EXIT_ALREADY_BOUND: u8 = handoff::EXIT_ALREADY_BOUND;

/// Whether an endpoint can be bound at this path.
///
/// On Unix, the path of a socket is limited to about 100 bytes. On Windows, the endpoint is a named pipe, and each
/// path fits.
#[must_use]
pub fn fits_endpoint(path: &Path) -> bool {
    platform::fits_endpoint(path)
}

/// Why no file can be created in this directory, in words, and what to do: for example because its file system is
/// mounted read-only.
///
/// `None` if files can be created, as far as the system says so without an attempt: it knows modes, mounts and
/// attributes, but not all sandboxes. On Windows, it is always `None`.
#[must_use]
pub fn why_not_writable(directory: &Path) -> Option<String> {
    let error = platform::check_entry(directory).err()?;
    let refusal = Refusal::of(&error, &directory.join("entry"), Access::Entry);
    Some(format!(
        "{error}{}",
        Advice::new(&error, refusal.as_ref()).for_entry()
    ))
}

/// Whether the path leads to the file that is open.
///
/// Returns `false` if the path cannot be read.
///
/// A tool that follows a log sees by this that the log was rotated.
#[must_use]
pub fn is_same_file(open: &File, path: &Path) -> bool {
    platform::is_file_at(open, path).unwrap_or(false)
}

/// The path to which a log is renamed when it is rotated: the same path with `.1` at its end.
#[must_use]
pub fn older_log(log: &Path) -> PathBuf {
    log_file::older(log)
}

/// The path by which a daemon with one instance for each directory names an instance.
///
/// It is absolute and has no symbolic links.
///
/// On Windows, the path has no `\\?\` prefix where it is valid without one.
///
/// # Errors
///
/// If the path does not exist or cannot be read.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    platform::canonicalize(path)
}

/// How many files this process may have open. `None` if there is no limit.
///
/// On Unix, this is the soft limit of `RLIMIT_NOFILE`. On Windows, it is always `None`.
#[must_use]
pub fn open_files_limit() -> Option<u64> {
    platform::open_files_limit()
}

/// Whether [`Daemon::new`](crate::Daemon::new) accepts this name.
///
/// A name has 1 to 64 characters of `a` to `z`, `0` to `9` and `-`. It neither begins nor ends with `-`.
#[must_use]
pub fn is_daemon_name(text: &str) -> bool {
    identity::is_daemon_name(text)
}
