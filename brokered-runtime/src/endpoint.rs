//! Binding an instance's endpoint, which only the holder of its lock may do.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::IpcListener;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, PathOccupant};

/// Binds and listens, in the place of what a dead daemon has left.
///
/// Nothing is probed: whoever holds the lock knows that nobody else is bound.
pub(crate) fn bind(paths: &Paths, lock: &InstanceLock) -> Result<IpcListener, EndpointError> {
    bind_at(&paths.socket, lock)
}

/// The same for the control endpoint.
pub(crate) fn bind_control(
    paths: &Paths,
    lock: &InstanceLock,
) -> Result<IpcListener, EndpointError> {
    bind_at(&paths.control(), lock)
}

fn bind_at(path: &Path, _lock: &InstanceLock) -> Result<IpcListener, EndpointError> {
    let failed = |source| EndpointError::io(path, source);
    match platform::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale_socket(path)?;
            platform::bind(path).map_err(failed)
        }
        bound => bound.map_err(failed),
    }
}

/// Removes the endpoint, if the directory that it is in is still ours.
pub(crate) fn unlink(paths: &Paths, lock: &InstanceLock) {
    unlink_at(&paths.socket, paths, lock);
}

/// The same for the control endpoint.
pub(crate) fn unlink_control(paths: &Paths, lock: &InstanceLock) {
    unlink_at(&paths.control(), paths, lock);
}

fn unlink_at(path: &Path, paths: &Paths, lock: &InstanceLock) {
    let ours = matches!(platform::path_occupant(path), Ok(PathOccupant::OwnSocket));
    if ours && lock.is_on(paths) {
        let _ = fs::remove_file(path);
    }
}

fn remove_stale_socket(socket: &Path) -> Result<(), EndpointError> {
    let path = || socket.to_owned();
    match platform::path_occupant(socket).map_err(|source| EndpointError::io(socket, source))? {
        PathOccupant::Nothing => Ok(()),
        PathOccupant::OwnSocket => remove(socket),
        // A service manager's, or what it has left: it does not hold the lock, so this is all there is to ask.
        PathOccupant::MadeSocket => match platform::connect(socket, Instant::now()) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => remove(socket),
            _ => Err(EndpointError::Managed { path: path() }),
        },
        PathOccupant::ForeignSocket(owner) => Err(EndpointError::Foreign {
            path: path(),
            owner,
        }),
        PathOccupant::Other(what) => Err(EndpointError::PathOccupant { path: path(), what }),
    }
}

fn remove(socket: &Path) -> Result<(), EndpointError> {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(EndpointError::io(socket, error))
        }
        _ => Ok(()),
    }
}

/// Why an endpoint could not be bound.
#[derive(Debug)]
pub(crate) enum EndpointError {
    /// A socket of another user's stands there.
    Foreign { path: PathBuf, owner: u32 },
    /// Somebody who does not hold the lock listens there: a service manager.
    Managed { path: PathBuf },
    /// Something that is no socket stands there.
    PathOccupant { path: PathBuf, what: &'static str },
    /// The system refused.
    Io { path: PathBuf, source: io::Error },
}

impl EndpointError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ELSEWHERE: &str = "it is left as it is; set BROKERED_RUNTIME_DIR to another directory, \
                                 for the daemon and for its clients";
        match self {
            Self::Foreign { path, owner } => write!(
                f,
                "cannot bind {}: a socket of user {owner} is in the way; {ELSEWHERE}",
                path.display()
            ),
            Self::Managed { path } => write!(
                f,
                "{} is already bound by a service manager, which starts this daemon when a client connects: \
                 connect to it, or stop its socket unit first",
                path.display()
            ),
            Self::PathOccupant { path, what } => write!(
                f,
                "cannot bind {}: {what} is in the way, which no daemon has made; {ELSEWHERE}",
                path.display()
            ),
            Self::Io { path, source } => write!(
                f,
                "cannot bind {}: {source}; check the space and the permissions there, or set \
                 BROKERED_RUNTIME_DIR to another directory, for the daemon and for its clients",
                path.display()
            ),
        }
    }
}

impl Error for EndpointError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
