//! [`InstanceError`] and [`DirectoryError`]: why the files of an instance cannot be used.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{Access, DirectoryFault};
use crate::refusal::{Advice, Argument, LeadsThere, Refusal, note_on_users, variable_of};

/// Why the paths of an [`Instance`](crate::Instance) cannot be computed.
///
/// `Debug` prints the same text as `Display`, because that is what Rust prints for an error that `main` returns.
///
/// ```
/// use brokered_runtime::{Daemon, InstanceError};
///
/// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
///
/// let error = INDEXD.endpoint().unwrap_err();
/// assert!(matches!(error, InstanceError::NoDirectory { daemon: "indexd" }));
/// ```
#[non_exhaustive]
pub enum InstanceError {
    /// The daemon has one instance for each directory, and no directory was given.
    NoDirectory {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// A directory was given, but the daemon does not have one instance for each directory.
    NotPerDirectory {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// A name was given, but the daemon has one instance for each directory.
    NotNamed {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// The directory of the instance does not exist, or cannot be reached.
    Directory {
        /// The directory, as it was given.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// The runtime directory is not an absolute path.
    RelativeRuntimeDirectory {
        /// The path in the environment variable.
        path: PathBuf,
    },
    /// No environment variable says where this user's files are.
    NoRuntimeDirectory,
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory { daemon } => write!(
                f,
                "{daemon} has one instance for each directory, and no directory was given: name one with \
                 `.at(directory)`, or with BROKERED_INSTANCE=<directory> when you start it by hand"
            ),
            Self::NotPerDirectory { daemon } => write!(
                f,
                "{daemon} was given a directory, but does not have one instance for each directory: add \
                 `.per_directory()` to its `Daemon`, or remove `.at(..)`"
            ),
            Self::NotNamed { daemon } => write!(
                f,
                "{daemon} has one instance for each directory, and no named instances: use `.at(directory)` \
                 instead of `.named(..)`"
            ),
            Self::Directory { path, source } => {
                write!(f, "cannot reach the directory {}: {source}", path.display())
            }
            Self::RelativeRuntimeDirectory { path } => write!(
                f,
                "the runtime directory {} is a relative path, which means a different directory in each \
                 process: set BROKERED_RUNTIME_DIR (or XDG_RUNTIME_DIR) to an absolute path",
                path.display()
            ),
            Self::NoRuntimeDirectory => write!(
                f,
                "no environment variable says where this user's files are: set BROKERED_RUNTIME_DIR to an \
                 absolute path"
            ),
        }
    }
}

/// The same text as `Display`: Rust prints an error that `main` returns with `Debug`.
impl fmt::Debug for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for InstanceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text has the text of the inner error, so the next cause is that of the inner error.
            Self::Directory { source, .. } => source.source(),
            _ => None,
        }
    }
}

/// Why a directory for a daemon's files is refused.
///
/// The runtime directory and the instance directory must be private to the effective user. Otherwise another user
/// could answer in the daemon's place.
///
/// ```no_run
/// use brokered_runtime::{Daemon, LaunchError};
///
/// const INDEXD: Daemon = Daemon::new("indexd");
///
/// if let Err(LaunchError::Directory(error)) = INDEXD.connect_or_spawn() {
///     println!("{} is not private: {error}", error.path().display());
/// }
/// ```
pub struct DirectoryError {
    path: PathBuf,
    problem: Problem,
    /// The environment variable that leads to the directory.
    variable: Option<&'static str>,
}

#[derive(Debug)]
enum Problem {
    Fault(DirectoryFault),
    Io(io::Error, Option<Refusal>),
}

impl DirectoryError {
    pub(crate) fn fault(path: PathBuf, fault: DirectoryFault) -> Self {
        Self {
            variable: variable_of(&path),
            path,
            problem: Problem::Fault(fault),
        }
    }

    pub(crate) fn io(path: PathBuf, error: io::Error) -> Self {
        let refusal = Refusal::of(&error, &path, Access::Entry);
        Self {
            variable: variable_of(&path),
            path,
            problem: Problem::Io(error, refusal),
        }
    }

    /// The directory that is refused.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let elsewhere = "or set BROKERED_RUNTIME_DIR to a directory of your own";
        match &self.problem {
            // A umask only takes permissions away.
            Problem::Fault(DirectoryFault::CreatedWith(mode)) if mode & 0o700 == 0o700 => write!(
                f,
                "the file system gives the new runtime directory {path} mode {mode:04o} instead of 0700, with which \
                 another user could answer in the daemon's place: set BROKERED_RUNTIME_DIR to a directory of your \
                 own on another file system"
            ),
            Problem::Fault(DirectoryFault::CreatedWith(mode)) => write!(
                f,
                "the umask of this process gives the new runtime directory {path} mode {mode:04o}, but it must \
                 have mode 0700: set a umask that leaves the owner all permissions, such as `umask 077`"
            ),
            Problem::Fault(DirectoryFault::Link) => write!(
                f,
                "the runtime directory {path} is a symbolic link, and must be a real directory: set \
                 BROKERED_RUNTIME_DIR to the target of the link"
            ),
            Problem::Fault(DirectoryFault::NotADirectory) => write!(
                f,
                "the runtime directory {path} is not a directory: move the file that is there, {elsewhere}"
            ),
            Problem::Fault(DirectoryFault::Owner { owner, expected }) => write!(
                f,
                "the runtime directory {path} belongs to user {owner}, but this process runs as user \
                 {expected}{}: run it as the user who owns the directory, {elsewhere}{}",
                LeadsThere(self.variable),
                note_on_users(&[*owner, *expected])
            ),
            Problem::Fault(DirectoryFault::Mode(mode)) => write!(
                f,
                "the runtime directory {path} has mode {mode:04o}, but must have mode 0700, so that no \
                 other user can answer in the daemon's place: run `chmod 700 {}`, {elsewhere}",
                Argument(&self.path)
            ),
            Problem::Io(error, refusal) => {
                let otherwise = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free some space there, or set BROKERED_RUNTIME_DIR to a directory of your own"
                    }
                    io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                        "move the file or the link that is in its path, or set BROKERED_RUNTIME_DIR to a directory \
                         of your own"
                    }
                    _ => {
                        "make its parent writable, or set BROKERED_RUNTIME_DIR to a directory of your own"
                    }
                };
                write!(
                    f,
                    "the runtime directory {path} cannot be created or read{}: {error}{}",
                    LeadsThere(self.variable),
                    Advice::new(error, refusal.as_ref())
                        .for_entry()
                        .or(otherwise)
                )
            }
        }
    }
}

/// The same text as `Display`: Rust prints an error that `main` returns with `Debug`.
impl fmt::Debug for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for DirectoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            // The text has the text of the inner error, so the next cause is that of the inner error.
            Problem::Io(error, _) => error.source(),
            Problem::Fault(_) => None,
        }
    }
}
