//! Step 1: connect to the endpoint, and check the peer.

use std::io;

use super::disable;
use super::error::LaunchError;
use crate::control::{obstacle, wait_cycle};
use crate::deadline::Deadline;
use crate::identity::paths::Paths;
use crate::platform::{self, Access};
use crate::{Daemon, Instance, IpcStream, Refusal, WaitFor, own_daemon};

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
    /// daemon, [`LaunchError::OwnDaemon`] in a load of the daemon itself. See [`LaunchError`] for the others.
    pub fn connect(&self) -> Result<IpcStream, LaunchError> {
        self.check_enabled()?;
        let deadline = Deadline::after(self.launch.deadline);
        let paths = self.paths()?;
        Self::check_not_in_load(paths)?;
        try_connect(paths, &deadline)?.ok_or_else(|| LaunchError::NotRunning {
            endpoint: paths.socket.clone(),
        })
    }

    /// Connects if that takes no waiting. `None` if no process listens, or if the backlog is full.
    #[cfg(feature = "tokio")]
    pub(super) fn try_connect_now(&self) -> Result<Option<IpcStream>, LaunchError> {
        self.check_enabled()?;
        let deadline = Deadline::after(std::time::Duration::ZERO);
        let paths = self.paths()?;
        Self::check_not_in_load(paths)?;
        match try_connect(paths, &deadline) {
            Err(LaunchError::BacklogFull { .. }) => Ok(None),
            connected => connected,
        }
    }

    /// Refuses a load that would wait for a reply of its own daemon.
    fn check_not_in_load(paths: &Paths) -> Result<(), LaunchError> {
        wait_cycle::refuse_own_in_load(paths).map_err(|_| own_daemon_error(paths))
    }

    /// Refuses a client that would wait for its own daemon: for a reply, or until that is ready.
    pub(super) fn check_not_own(&self, paths: &Paths) -> Result<(), LaunchError> {
        match self.launch.wait {
            WaitFor::Ready => wait_cycle::refuse_own(paths).map_err(|_| own_daemon_error(paths)),
            WaitFor::Bound | WaitFor::Nothing => Self::check_not_in_load(paths),
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

fn own_daemon_error(paths: &Paths) -> LaunchError {
    LaunchError::OwnDaemon {
        endpoint: paths.socket.clone(),
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
                // The check of the directories says which one is a file.
                io::ErrorKind::NotFound
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::NotADirectory => Ok(None),
                io::ErrorKind::PermissionDenied => Err(LaunchError::NoPermission {
                    endpoint: endpoint(),
                    refusal: Refusal::of(&error, &paths.socket, Access::Connect)
                        .unwrap_or(Refusal::Unknown),
                    source: error,
                }),
                io::ErrorKind::WouldBlock => Err(LaunchError::BacklogFull {
                    endpoint: endpoint(),
                    obstacle: obstacle::of(paths),
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
        None => {
            own_daemon::add_connected(paths.directory());
            Ok(Some(stream))
        }
        Some(user) => Err(LaunchError::ForeignPeer {
            endpoint: endpoint(),
            user,
        }),
    }
}
