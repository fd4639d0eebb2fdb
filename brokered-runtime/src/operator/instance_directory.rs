//! [`InstanceDirectory`]: where an instance is, and what can be asked of its daemon.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::record::RecordState;
use crate::control::{client, reload, stop};
use crate::deadline::Deadline;
use crate::identity::paths::{Paths, runtime_directory};
use crate::platform::{self, PathOccupant};
use crate::{ControlError, DirectoryError, InstanceError, Reloaded, Status, StopOutcome};

/// The directory of one instance. It need not exist.
#[derive(Debug, Clone)]
pub struct InstanceDirectory {
    paths: Paths,
}

/// The contents of the runtime directories. From [`instance_directories`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct InstanceDirectories {
    /// The instance directories, sorted by path.
    pub instances: Vec<InstanceDirectory>,
    /// Entries that are not directories. No daemon created them, and each daemon ignores them.
    pub other_entries: Vec<PathBuf>,
}

/// Whether a process holds an instance lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// No process holds the lock. A record is a stale record.
    Free,
    /// A daemon holds the lock, or a launcher that is starting one.
    Held,
}

impl InstanceDirectory {
    /// The instance in this directory. The path is not checked, and should be absolute.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            paths: Paths::in_directory(directory),
        }
    }

    pub(super) fn from_paths(paths: Paths) -> Self {
        Self { paths }
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.paths.directory()
    }

    /// The last component of [`path`](Self::path): the daemon's name, followed by `.` and the contract number
    /// unless that is 1, and by a hash unless the daemon has one instance.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.path().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The endpoint: on Unix, the path of the socket; on Windows, the path of the named pipe.
    #[must_use]
    pub fn endpoint(&self) -> PathBuf {
        self.paths.socket.clone()
    }

    /// The control endpoint, on which the framework answers.
    #[must_use]
    pub fn control_endpoint(&self) -> PathBuf {
        self.paths.control()
    }

    /// The path of the record.
    #[must_use]
    pub fn record_path(&self) -> PathBuf {
        self.paths.record()
    }

    /// The default path of the log. [`DaemonRecord::log`](super::DaemonRecord::log) names the actual one.
    #[must_use]
    pub fn default_log_path(&self) -> PathBuf {
        self.paths.log()
    }

    /// Reads the record.
    ///
    /// Symbolic links, pipes and files of more than 64 KiB are not read: they are
    /// [`Invalid`](RecordState::Invalid).
    #[must_use]
    pub fn read_record(&self) -> RecordState {
        RecordState::read(&self.paths.record())
    }

    /// Opens a log for reading: that of [`default_log_path`](Self::default_log_path), or the one that a record names.
    ///
    /// Never waits, as opening a pipe could.
    ///
    /// On Unix, the default log is not opened if it is a symbolic link. A log that a user has named may be one.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not a regular file, and the errors of the system.
    pub fn open_log(&self, path: &Path) -> io::Result<File> {
        if path.parent() == Some(self.path()) {
            platform::open_regular(path)
        } else {
            platform::open_regular_or_link(path)
        }
    }

    /// Whether the directory exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        fs::symlink_metadata(self.path()).is_ok()
    }

    /// Checks that the directory and the runtime directory belong to this user alone, as a daemon and its clients
    /// do before they use them.
    ///
    /// On Unix, the owner must be this user and the mode `0700`. On Windows, the owner must be this user or a group
    /// that this process acts for. A symbolic link is refused everywhere.
    ///
    /// # Errors
    ///
    /// What is wrong with which directory, or that it cannot be read.
    pub fn check_permissions(&self) -> Result<(), DirectoryError> {
        self.paths.check()
    }

    /// Whether a process holds the instance lock.
    ///
    /// The check takes a shared lock for a moment. A daemon or a launcher that finds the lock taken by it tries
    /// again within a millisecond.
    ///
    /// # Errors
    ///
    /// If the directory does not exist or cannot be opened.
    pub fn lock_state(&self) -> io::Result<LockState> {
        match self.paths.open_lock()?.try_lock_shared() {
            Ok(()) => Ok(LockState::Free),
            Err(TryLockError::WouldBlock) => Ok(LockState::Held),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Asks the daemon for its status.
    ///
    /// # Errors
    ///
    /// - [`ControlError::NotRunning`] if no daemon runs.
    /// - [`ControlError::NoControl`] if the daemon is a hand-written backend, which has no control endpoint.
    /// - [`ControlError::NoAnswer`] if the daemon does not answer in time.
    /// - Others as [`ControlError`] documents them.
    pub fn status(&self, timeout: Duration) -> Result<Status, ControlError> {
        client::status(&self.paths, &Deadline::after(timeout))
    }

    /// Waits until the daemon is ready. `on_progress` receives each text that the daemon reports meanwhile.
    ///
    /// # Errors
    ///
    /// - [`ControlError::TimedOut`] if the daemon is not ready in time.
    /// - [`ControlError::Ending`] if the daemon ends instead.
    /// - As for [`status`](Self::status).
    pub fn wait_ready(
        &self,
        timeout: Duration,
        on_progress: impl FnMut(&str),
    ) -> Result<(), ControlError> {
        client::wait_ready(&self.paths, &Deadline::after(timeout), on_progress)
    }

    /// Requests a graceful shutdown, and waits until the daemon has ended.
    ///
    /// On Unix, a daemon that does not answer is sent `SIGTERM`, provided that its record certainly names its
    /// process. On Windows no signal requests a shutdown, and such a daemon is an error.
    ///
    /// # Errors
    ///
    /// - [`ControlError::TimedOut`] if the daemon has not ended in time.
    /// - [`ControlError::ProcessNotVerified`] if the daemon does not answer and its process is not certain.
    /// - Others as [`ControlError`] documents them.
    pub fn stop(&self, timeout: Duration) -> Result<StopOutcome, ControlError> {
        stop::stop(&self.paths, &Deadline::after(timeout))
    }

    /// Ends the daemon's process with `SIGKILL`, provided that its record certainly names its process, and waits until
    /// it has ended. Nothing is served any more: for a daemon that [`stop`](Self::stop) could not end.
    ///
    /// # Platform differences
    ///
    /// Only Linux can verify a process ID. Elsewhere this is [`ControlError::ProcessNotVerified`].
    ///
    /// # Errors
    ///
    /// - [`ControlError::ProcessNotVerified`] if the daemon's process is not certain.
    /// - [`ControlError::TimedOut`] if the process has not ended in time.
    pub fn kill(&self, timeout: Duration) -> Result<StopOutcome, ControlError> {
        stop::kill(&self.paths, &Deadline::after(timeout))
    }

    /// Requests a reload, and waits for its result.
    ///
    /// # Errors
    ///
    /// - [`ControlError::ReloadsNotTaken`] if the daemon does not take reloads.
    /// - [`ControlError::ReloadRefused`] if the daemon refused what has changed, and goes on as before.
    /// - [`ControlError::ReloadTimedOut`] if the reload has not ended in time. It continues.
    /// - [`ControlError::TimedOut`] if the daemon is not ready in time.
    /// - [`ControlError::UnknownRequest`] if the daemon is older than this request.
    /// - Others as [`ControlError`] documents them.
    pub fn reload(&self, timeout: Duration) -> Result<Reloaded, ControlError> {
        reload::reload(&self.paths, &Deadline::after(timeout))
    }

    /// The process that listens on the endpoint, as the kernel reports it.
    ///
    /// `None` if no process listens, or if the platform does not report it.
    #[must_use]
    pub fn listening_process(&self) -> Option<u32> {
        let soon = Instant::now() + Duration::from_millis(100);
        let stream = platform::connect(&self.paths.socket, soon).ok()?;
        platform::listening_process(&stream)
    }

    /// What prevents the endpoint from being bound, in words: a file or a socket that no daemon of this user
    /// created.
    ///
    /// `None` if nothing does, and always on Windows, where a named pipe has no file.
    #[must_use]
    pub fn endpoint_conflict(&self) -> Option<String> {
        match platform::path_occupant(&self.paths.socket) {
            Ok(PathOccupant::ForeignSocket(owner)) => Some(format!("a socket of user {owner}")),
            Ok(PathOccupant::Other(what)) => Some(what.to_owned()),
            _ => None,
        }
    }
}

/// The runtime directory, followed by its fallback.
///
/// The fallback holds the instances whose own paths would be too long for a socket.
///
/// There is one entry if both are the same.
///
/// # Errors
///
/// If the environment names no usable runtime directory.
pub fn runtime_directories() -> Result<Vec<PathBuf>, InstanceError> {
    let first = runtime_directory()?;
    let fallback = platform::fallback_directory();
    Ok(if first == fallback {
        vec![first]
    } else {
        vec![first, fallback]
    })
}

/// Finds all instances of this user, whether or not their daemons run.
///
/// A runtime directory that does not exist has no instances.
///
/// # Errors
///
/// If the environment names no usable runtime directory, or if a runtime directory does not belong to this user
/// alone or cannot be read.
pub fn instance_directories() -> Result<InstanceDirectories, InstanceDirectoryError> {
    let mut instances = BTreeSet::new();
    let mut other_entries = Vec::new();
    for runtime in runtime_directories()? {
        if fs::symlink_metadata(&runtime)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            continue;
        }
        Paths::in_directory(runtime.join("any")).check_runtime()?;
        let read_error = |source| InstanceDirectoryError::Read {
            path: runtime.clone(),
            source,
        };
        for entry in fs::read_dir(&runtime).map_err(read_error)? {
            let entry = entry.map_err(read_error)?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => _ = instances.insert(entry.path()),
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => other_entries.push(entry.path()),
            }
        }
    }
    Ok(InstanceDirectories {
        instances: instances.into_iter().map(InstanceDirectory::new).collect(),
        other_entries,
    })
}

/// Why the instances of this user could not be found.
#[derive(Debug)]
#[non_exhaustive]
pub enum InstanceDirectoryError {
    /// The environment names no usable runtime directory.
    Instance(InstanceError),
    /// The runtime directory does not belong to this user alone.
    Directory(DirectoryError),
    /// The runtime directory cannot be read.
    Read {
        /// The runtime directory.
        path: PathBuf,
        /// The error of the system.
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
            Self::Read { path, source } => write!(
                f,
                "cannot read the runtime directory {}: {source}; run this as the user who owns it",
                path.display()
            ),
        }
    }
}

impl Error for InstanceDirectoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text contains the text of the inner error, so the next cause is the inner error's.
            Self::Instance(error) => error.source(),
            Self::Directory(error) => error.source(),
            Self::Read { source, .. } => source.source(),
        }
    }
}
