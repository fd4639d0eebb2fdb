//! The endpoint: its listener, and how the holder of the instance lock binds and unlinks it.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, Access, PathOccupant};
use crate::refusal::{Advice, Refusal};

/// A bound endpoint: a Unix socket that listens, or a named pipe on Windows.
pub type IpcListener = interprocess::local_socket::Listener;

/// A connection between a client and a daemon. Both sides use this type.
pub type IpcStream = interprocess::local_socket::Stream;

/// Binds the endpoint and listens. A stale socket at the path is replaced.
///
/// Only the holder of the lock binds, so no other daemon can be bound. Only a socket that may be a service manager's is
/// probed.
pub(crate) fn bind(paths: &Paths, lock: &InstanceLock) -> Result<IpcListener, EndpointError> {
    bind_at(&paths.socket, lock)
}

/// Does the same for the control endpoint.
pub(crate) fn bind_control(
    paths: &Paths,
    lock: &InstanceLock,
) -> Result<IpcListener, EndpointError> {
    bind_at(&paths.control(), lock)
}

/// The lock is a proof only: without it, removing the socket could take another daemon's endpoint away.
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

/// Removes the endpoint, if its directory is still the one that is locked.
pub(crate) fn unlink(paths: &Paths, lock: &InstanceLock) {
    unlink_at(&paths.socket, paths, lock);
}

/// Does the same for the control endpoint.
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
        // A service manager made this socket. It holds no lock, so only a connect shows whether it still listens.
        PathOccupant::ServiceManagerSocket => match platform::connect(socket, Instant::now()) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => remove(socket),
            _ => Err(EndpointError::Managed { path: path() }),
        },
        PathOccupant::ForeignSocket(owner) => Err(EndpointError::ForeignSocket {
            path: path(),
            owner,
        }),
        PathOccupant::Other(kind) => Err(EndpointError::NotASocket { path: path(), kind }),
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
    /// A socket of a foreign user is at the path.
    ForeignSocket { path: PathBuf, owner: u32 },
    /// A service manager listens at the path.
    Managed { path: PathBuf },
    /// Something other than a socket is at the path.
    NotASocket { path: PathBuf, kind: &'static str },
    /// The system refused the call.
    Io {
        path: PathBuf,
        source: io::Error,
        refusal: Option<Refusal>,
    },
}

impl EndpointError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            refusal: Refusal::of(&source, path, Access::Entry),
            source,
        }
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ELSEWHERE: &str =
            "set BROKERED_RUNTIME_DIR to another directory, for the daemon and for its clients";
        match self {
            Self::ForeignSocket { path, owner } => write!(
                f,
                "cannot bind {}: a socket of user {owner} is in the way, and is left as it is; {ELSEWHERE}",
                path.display()
            ),
            Self::Managed { path } => write!(
                f,
                "{} is already bound by a service manager, which starts this daemon when a client connects: \
                 connect to it, or stop its socket unit first",
                path.display()
            ),
            Self::NotASocket { path, kind } => write!(
                f,
                "cannot bind {}: {kind} is in the way; no daemon created it, so it is left as it is; {ELSEWHERE}",
                path.display()
            ),
            Self::Io {
                path,
                source,
                refusal,
            } => write!(
                f,
                "cannot bind {}: {source}{}",
                path.display(),
                Advice::new(source, refusal.as_ref())
                    .for_entry()
                    .or(ELSEWHERE)
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
