//! What can be wrong with an instance before anything is asked of its daemon.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::platform::DirectoryFault;

/// Why an [`Instance`](crate::Instance) does not say where its daemon is.
#[non_exhaustive]
pub enum InstanceError {
    /// The daemon is one for each directory, and no directory was given.
    NoDirectory {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// A directory was given to a daemon that is not one for each directory.
    NotPerDirectory {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// A name was given to a daemon that is one for each directory.
    NotNamed {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// The directory that the instance is for is not there, or cannot be reached.
    Directory {
        /// The directory, as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The runtime directory is not an absolute path.
    RelativeRuntimeDirectory {
        /// What the environment says.
        path: PathBuf,
    },
    /// The environment does not say where this user's files are.
    NoRuntimeDirectory,
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory { daemon } => write!(
                f,
                "{daemon} is one daemon for each directory, and none was given: name one with \
                 `.at(directory)`, or with BROKERED_INSTANCE=<directory> when starting it by hand"
            ),
            Self::NotPerDirectory { daemon } => write!(
                f,
                "{daemon} was given a directory, but is not one daemon for each directory: add \
                 `.per_directory()` to its `Daemon`, or leave `.at(..)` out"
            ),
            Self::NotNamed { daemon } => write!(
                f,
                "{daemon} is one daemon for each directory and takes no name: use `.at(directory)` \
                 instead of `.named(..)`"
            ),
            Self::Directory { path, source } => {
                write!(f, "cannot reach the directory {}: {source}", path.display())
            }
            Self::RelativeRuntimeDirectory { path } => write!(
                f,
                "the runtime directory {} is a relative path, which every process would take for \
                 another one: set BROKERED_RUNTIME_DIR (or XDG_RUNTIME_DIR) to an absolute path",
                path.display()
            ),
            Self::NoRuntimeDirectory => write!(
                f,
                "the environment does not say where this user's files are: set BROKERED_RUNTIME_DIR to an \
                 absolute path"
            ),
        }
    }
}

/// The same words: what `main` returns is printed so.
impl fmt::Debug for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for InstanceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // What it says is in the text, so its cause is the cause.
            Self::Directory { source, .. } => source.source(),
            _ => None,
        }
    }
}

/// Why a directory for a daemon's files is refused.
///
/// All of them, from the runtime directory down, must be the effective user's alone: whoever else could
/// write there could answer in the daemon's place.
pub struct DirectoryError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Fault(DirectoryFault),
    Io(io::Error),
}

impl DirectoryError {
    pub(crate) fn fault(path: PathBuf, fault: DirectoryFault) -> Self {
        Self {
            path,
            problem: Problem::Fault(fault),
        }
    }

    pub(crate) fn io(path: PathBuf, error: io::Error) -> Self {
        Self {
            path,
            problem: Problem::Io(error),
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let elsewhere = "or set BROKERED_RUNTIME_DIR to a directory of your own";
        match &self.problem {
            Problem::Fault(DirectoryFault::Link) => write!(
                f,
                "the runtime directory {path} is a symbolic link: daemons keep their endpoints only in \
                 real directories, so give the link's target in BROKERED_RUNTIME_DIR"
            ),
            Problem::Fault(DirectoryFault::NotADirectory) => write!(
                f,
                "the runtime directory {path} is not a directory: move what is there, {elsewhere}"
            ),
            Problem::Fault(DirectoryFault::Owner { owner, expected }) => write!(
                f,
                "the runtime directory {path} belongs to user {owner}, and this process runs as user \
                 {expected}: run it as that user, {elsewhere}"
            ),
            Problem::Fault(DirectoryFault::Mode(mode)) => write!(
                f,
                "the runtime directory {path} has mode {mode:04o} and must have 0700, so that no \
                 other user can answer in the daemon's place: `chmod 700 {path}`, {elsewhere}"
            ),
            Problem::Io(error) => write!(
                f,
                "the runtime directory {path} cannot be created or read: {error}; make its parent \
                 writable, {elsewhere}"
            ),
        }
    }
}

/// The same words: what `main` returns is printed so.
impl fmt::Debug for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for DirectoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            // What it says is in the text, so its cause is the cause.
            Problem::Io(error) => error.source(),
            Problem::Fault(_) => None,
        }
    }
}
