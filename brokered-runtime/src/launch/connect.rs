//! Step 1: connect to the endpoint, and check the peer.

use std::io;

use super::disable;
use super::error::LaunchError;
use crate::deadline::Deadline;
use crate::identity::paths::Paths;
use crate::platform::{self, Access};
use crate::{Daemon, Instance, IpcStream, Refusal};

impl Instance {
    /// Connects to the daemon. Never starts it.
    ///
    /// The call takes no lock and reads no file. It checks the peer credentials: a daemon of a foreign user is an
    /// error.
    ///
    /// ```
    /// use brokered_runtime::{Daemon, LaunchError};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # fn main() -> Result<(), LaunchError> {
    /// match INDEXD.instance().connect() {
    ///     Ok(_stream) => println!("indexd is running"),
    ///     Err(LaunchError::NotRunning { .. }) => println!("indexd is not running"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LaunchError::NotRunning`] if no process listens on the endpoint, [`LaunchError::BacklogFull`] if the backlog
    /// is full until the [`deadline`](Instance::deadline), [`LaunchError::Disabled`] if `BROKERED_DISABLE` names the
    /// daemon. See [`LaunchError`] for the others.
    pub fn connect(&self) -> Result<IpcStream, LaunchError> {
        self.check_enabled()?;
        let deadline = Deadline::after(self.launch.deadline);
        let paths = self.paths()?;
        try_connect(paths, &deadline)?.ok_or_else(|| LaunchError::NotRunning {
            endpoint: paths.socket.clone(),
        })
    }

    /// Connects if that takes no waiting. `None` if no process listens, or if the backlog is full.
    #[cfg(feature = "tokio")]
    pub(super) fn try_connect_now(&self) -> Result<Option<IpcStream>, LaunchError> {
        self.check_enabled()?;
        let deadline = Deadline::after(std::time::Duration::ZERO);
        match try_connect(self.paths()?, &deadline) {
            Err(LaunchError::BacklogFull { .. }) => Ok(None),
            connected => connected,
        }
    }

    pub(super) fn check_enabled(&self) -> Result<(), LaunchError> {
        let daemon = self.daemon();
        if disable::is_disabled(daemon) {
            return Err(LaunchError::Disabled {
                daemon: daemon.name(),
            });
        }
        Ok(())
    }
}

impl Daemon {
    /// Connects to the default instance. See [`Instance::connect`].
    ///
    /// # Errors
    ///
    /// See [`Instance::connect`].
    pub fn connect(self) -> Result<IpcStream, LaunchError> {
        self.instance().connect()
    }
}

/// Connects if a process listens, and refuses the daemon of a foreign user.
pub(super) fn try_connect(
    paths: &Paths,
    deadline: &Deadline,
) -> Result<Option<IpcStream>, LaunchError> {
    let endpoint = || paths.socket.clone();
    let stream = match platform::connect(&paths.socket, deadline.end()) {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                io::ErrorKind::PermissionDenied => Err(LaunchError::NoPermission {
                    endpoint: endpoint(),
                    refusal: Refusal::of(&error, &paths.socket, Access::Connect)
                        .unwrap_or(Refusal::Unknown),
                    source: error,
                }),
                io::ErrorKind::WouldBlock => Err(LaunchError::BacklogFull {
                    endpoint: endpoint(),
                    waited: deadline.waited(),
                }),
                _ => Err(LaunchError::io("connect to", &paths.socket)(error)),
            };
        }
    };
    let foreign = platform::foreign_peer(&stream, Some(paths.directory()));
    match foreign.map_err(LaunchError::io(
        "read the peer credentials on",
        &paths.socket,
    ))? {
        None => Ok(Some(stream)),
        Some(user) => Err(LaunchError::ForeignPeer {
            endpoint: endpoint(),
            user,
        }),
    }
}
