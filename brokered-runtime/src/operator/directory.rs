//! The directories in which daemons are, or have been.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::record::Recorded;
use crate::control::{client, stop};
use crate::deadline::Deadline;
use crate::identity::paths::{Paths, runtime_directory};
use crate::platform::{self, PathOccupant};
use crate::{ControlError, DirectoryError, InstanceError, Status, StopOutcome};

/// The directory of one instance.
#[derive(Debug, Clone)]
pub struct InstanceDirectory {
    paths: Paths,
}

/// What was found in the runtime directories.
#[derive(Debug, Default)]
pub struct InstanceDirectories {
    /// The directories of instances, by name.
    pub found: Vec<InstanceDirectory>,
    /// What is no directory, and is passed over.
    pub strange: Vec<PathBuf>,
}

/// Whether somebody holds an instance's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nobody: what is recorded is history.
    Free,
    /// A daemon, or a launcher that is just starting one.
    Held,
}

impl InstanceDirectory {
    /// The instance in this directory.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self {
            paths: Paths::in_directory(directory),
        }
    }

    pub(super) fn of(paths: Paths) -> Self {
        Self { paths }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.paths.directory()
    }

    /// The directory's own name.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.directory().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Where the daemon listens.
    #[must_use]
    pub fn endpoint(&self) -> PathBuf {
        self.paths.socket.clone()
    }

    /// Where the framework answers for the daemon.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.paths.control()
    }

    /// Where the record is.
    #[must_use]
    pub fn record_path(&self) -> PathBuf {
        self.paths.record()
    }

    /// Where the output goes of a daemon that a client has started, unless it is recorded elsewhere.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.paths.log()
    }

    /// What the record tells.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        Recorded::read(&self.paths.record())
    }

    /// Whether the directory is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        fs::symlink_metadata(self.directory()).is_ok()
    }

    /// Refuses directories that are not the user's alone.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), DirectoryError> {
        self.paths.check()
    }

    /// Whether somebody holds the lock.
    ///
    /// Looking takes a shared lock for a moment, where it is free: those who look don't see each other, and
    /// whoever starts a daemon just then tries again within a millisecond.
    ///
    /// # Errors
    ///
    /// If the directory is not there or cannot be opened.
    pub fn lock(&self) -> io::Result<Lock> {
        match self.paths.open_lock()?.try_lock_shared() {
            Ok(()) => Ok(Lock::Free),
            Err(TryLockError::WouldBlock) => Ok(Lock::Held),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// What is asked of a daemon.
impl InstanceDirectory {
    /// How it is.
    ///
    /// # Errors
    ///
    /// If it isn't there or does not answer.
    pub fn status(&self, timeout: Duration) -> Result<Status, ControlError> {
        client::status(&self.paths, &Deadline::after(timeout))
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    ///
    /// If it isn't there, ends, or is not ready in time.
    pub fn wait_ready(
        &self,
        timeout: Duration,
        heard: impl FnMut(&str),
    ) -> Result<(), ControlError> {
        client::wait_ready(&self.paths, &Deadline::after(timeout), heard)
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    ///
    /// If it has not ended in time, or it is not certain who it is.
    pub fn stop(&self, timeout: Duration) -> Result<StopOutcome, ControlError> {
        stop::stop(&self.paths, &Deadline::after(timeout))
    }

    /// The process that listens on the endpoint, as the kernel noted it. `None` if nobody does, or the system
    /// does not tell.
    #[must_use]
    pub fn listening_process(&self) -> Option<u32> {
        let soon = Instant::now() + Duration::from_millis(100);
        let stream = platform::connect(&self.paths.socket, soon).ok()?;
        platform::listening_process(&stream)
    }

    /// What is in the way of binding the endpoint: something that no daemon has made.
    #[must_use]
    pub fn path_occupant(&self) -> Option<String> {
        match platform::path_occupant(&self.paths.socket) {
            Ok(PathOccupant::ForeignSocket(owner)) => Some(format!("a socket of user {owner}")),
            Ok(PathOccupant::Other(what)) => Some(what.to_owned()),
            _ => None,
        }
    }
}

/// The directory in which instances are, and the one for those whose own path would be too long.
///
/// # Errors
///
/// If the environment names no usable one.
pub fn runtime_directories() -> Result<Vec<PathBuf>, InstanceError> {
    let first = runtime_directory()?;
    let fallback = platform::fallback_directory();
    Ok(if first == fallback {
        vec![first]
    } else {
        vec![first, fallback]
    })
}

/// All instances of this user.
///
/// # Errors
///
/// If a runtime directory is not the user's alone, or cannot be read. One that is not there has no instances.
pub fn instance_directories() -> Result<InstanceDirectories, InstanceDirectoryError> {
    let mut found = BTreeSet::new();
    let mut strange = Vec::new();
    for runtime in runtime_directories()? {
        if fs::symlink_metadata(&runtime)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            continue;
        }
        Paths::in_directory(runtime.join("any")).check_runtime()?;
        let unread = |source| InstanceDirectoryError::Unread {
            path: runtime.clone(),
            source,
        };
        for entry in fs::read_dir(&runtime).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => _ = found.insert(entry.path()),
                // It is gone already.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => strange.push(entry.path()),
            }
        }
    }
    Ok(InstanceDirectories {
        found: found.into_iter().map(InstanceDirectory::at).collect(),
        strange,
    })
}

/// Why instances cannot be told.
#[derive(Debug)]
pub enum InstanceDirectoryError {
    /// The environment names no usable runtime directory.
    Instance(InstanceError),
    /// The runtime directory is not the user's alone.
    Directory(DirectoryError),
    /// The runtime directory cannot be read.
    Unread {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<InstanceError> for InstanceDirectoryError {
    fn from(error: InstanceError) -> Self {
        Self::Instance(error)
    }
}

impl From<DirectoryError> for InstanceDirectoryError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl fmt::Display for InstanceDirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::Directory(error) => error.fmt(f),
            Self::Unread { path, source } => write!(
                f,
                "cannot read the runtime directory {}: {source}; run as the user whose daemons they are",
                path.display()
            ),
        }
    }
}

impl Error for InstanceDirectoryError {}
