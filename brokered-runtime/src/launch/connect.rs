//! Steps 1 to 3 and 6: connect, or take the lock and launch.

use std::io;

use super::backoff::Backoff;
use super::children;
use super::disable;
use super::error::{LaunchError, describe_holder};
use super::failure;
use super::ready;
use super::spawn::{self, Started};
use super::wait::{self, Outcome};
use crate::deadline::Deadline;
use crate::identity::paths::Paths;
use crate::instance_lock::LaunchLock;
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, IpcStream, Wait, fault, handoff, platform};

/// How often one call starts a daemon that finds another one, which nobody else finds.
const MOST_LAUNCHES: u32 = 3;

/// What came of a launch.
enum Launched {
    /// A connection to the daemon.
    Connected(IpcStream),
    /// The daemon has left because there is another one, it says. The error is for when nobody believes it.
    AlreadyBound(LaunchError),
}

impl Instance {
    /// Connects to the daemon, and starts nothing.
    ///
    /// No lock is taken and no file is read. The peer is this process's own user, or it is an error.
    ///
    /// # Errors
    ///
    /// [`LaunchError::NotRunning`] if nobody listens; see [`LaunchError`] for what else can be.
    pub fn connect(&self) -> Result<IpcStream, LaunchError> {
        self.check_disabled()?;
        let deadline = Deadline::after(self.launch.deadline);
        let paths = self.paths()?;
        reach(paths, &deadline)?.ok_or_else(|| LaunchError::NotRunning {
            endpoint: paths.socket.clone(),
        })
    }

    /// Connects to the daemon, and starts it if it is not there.
    ///
    /// However many clients call this at once, one daemon is started, and all of them are connected to
    /// it. The connection is made while the daemon is still starting, and waits in its backlog; a client
    /// that had to start the daemon also waits for what [`wait`](Instance::wait) says, so that an error in
    /// its start comes back from here.
    ///
    /// Being connected is no promise of an answer: a process that is just being killed still has clients in its
    /// queue, and their streams end. A client whose request may be repeated asks for the
    /// [`last_failure`](Instance::last_failure) then, which waits until that process is gone, and connects
    /// again; without that it may meet the same dying process once more. And a process that has stopped answers
    /// nobody: a client that cannot wait for ever sets a time-out on the stream.
    ///
    /// # Errors
    ///
    /// See [`LaunchError`]. Whatever it is, calling again is always safe.
    pub fn connect_or_spawn(&self) -> Result<IpcStream, LaunchError> {
        self.check_disabled()?;
        children::reap();
        let deadline = Deadline::after(self.launch.deadline);
        let paths = self.paths()?;
        match self.reach_as_wanted(paths, &deadline)? {
            Some(stream) => Ok(stream),
            None => self.contend(paths, &deadline),
        }
    }

    /// Connects if that takes no waiting. `None` also where a backlog is full.
    #[cfg(feature = "tokio")]
    pub(super) fn connect_at_once(&self) -> Result<Option<IpcStream>, LaunchError> {
        self.check_disabled()?;
        let deadline = Deadline::after(std::time::Duration::ZERO);
        match reach(self.paths()?, &deadline) {
            Err(LaunchError::BacklogFull { .. }) => Ok(None),
            reached => reached,
        }
    }

    /// The same for a client that would start the daemon. `None` also where being connected is not enough.
    #[cfg(feature = "tokio")]
    pub(super) fn find_at_once(&self) -> Result<Option<IpcStream>, LaunchError> {
        self.check_disabled()?;
        children::reap();
        match self.launch.wait {
            Wait::Ready => Ok(None),
            Wait::Bound | Wait::Nothing => self.connect_at_once(),
        }
    }

    pub(super) fn check_disabled(&self) -> Result<(), LaunchError> {
        let daemon = self.daemon();
        if disable::is_disabled(daemon) {
            return Err(LaunchError::Disabled {
                daemon: daemon.name(),
            });
        }
        Ok(())
    }

    /// Takes the lock or connects, whichever comes first.
    fn contend(&self, paths: &Paths, deadline: &Deadline) -> Result<IpcStream, LaunchError> {
        if handoff::is_launched_but_not_daemon() {
            return Err(LaunchError::InsideDaemon {
                endpoint: paths.socket.clone(),
            });
        }
        pass(paths, "launch:no-listener")?;
        paths.prepare()?;
        pass(paths, "launch:directory-prepared")?;
        let mut pause = Backoff::new();
        let mut launches = 0;
        let mut has_paused = false;
        loop {
            if let Some(lock) = try_lock(paths)? {
                pass(paths, "launch:locked")?;
                // It may have come up just before the lock was free. Right after a connect, it has not.
                if has_paused && let Some(stream) = self.reach_as_wanted(paths, deadline)? {
                    return Ok(stream);
                }
                launches += 1;
                match self.launch(paths, lock, deadline)? {
                    Launched::Connected(stream) => return Ok(stream),
                    // It says that there is another daemon. If there is, the lock is not to be had again.
                    Launched::AlreadyBound(_) if launches < MOST_LAUNCHES => {}
                    Launched::AlreadyBound(error) => return Err(error),
                }
            }
            if deadline.is_over() {
                return Err(self.lock_held(paths, deadline));
            }
            pause.pause(deadline);
            has_paused = true;
            if let Some(stream) = self.reach_as_wanted(paths, deadline)? {
                return Ok(stream);
            }
        }
    }

    /// Connects, if somebody listens, and waits for a daemon that is not ready, if that is wanted.
    fn reach_as_wanted(
        &self,
        paths: &Paths,
        deadline: &Deadline,
    ) -> Result<Option<IpcStream>, LaunchError> {
        let Some(stream) = reach(paths, deadline)? else {
            return Ok(None);
        };
        let is_ready = self.launch.wait != Wait::Ready || ready::is_ready(paths, deadline)?;
        Ok(is_ready.then_some(stream))
    }

    /// With the lock held: launches, and connects.
    fn launch(
        &self,
        paths: &Paths,
        lock: LaunchLock,
        deadline: &Deadline,
    ) -> Result<Launched, LaunchError> {
        self.check_owner(paths)?;
        let mut started = spawn::start(self, paths, lock)?;
        // Where the endpoint is bound already, the connection comes first.
        let early = if started.is_bound {
            reach(paths, deadline)?
        } else {
            None
        };
        pass(paths, "launch:connected")?;
        let wanted = match self.launch.wait {
            // A daemon that binds itself must have come that far at least.
            Wait::Nothing if early.is_none() => Wait::Bound,
            wanted => wanted,
        };
        let outcome = wait::wait(self.daemon(), &mut started, wanted, deadline);
        pass(paths, "launch:bound-received")?;
        record_failure(self, paths, &started, &outcome);
        let outcome = outcome?;
        let error = |outcome: Outcome| outcome.into_error(self.daemon(), &started.log);
        if outcome.is_already_bound() {
            return Ok(Launched::AlreadyBound(error(outcome)));
        }
        let stream = match (&outcome, early) {
            (Outcome::Up, None) => reach(paths, deadline)?,
            (Outcome::Up, early) => early,
            (Outcome::Ended { .. }, _) => None,
        };
        match stream {
            Some(stream) => Ok(Launched::Connected(stream)),
            None => Err(error(outcome)),
        }
    }

    /// A daemon that systemd has started is systemd's to start.
    pub(super) fn check_owner(&self, paths: &Paths) -> Result<(), LaunchError> {
        match Record::read(paths) {
            Some(record) if record.owner == Owner::Systemd => Err(LaunchError::OwnedBySystemd {
                daemon: self.daemon().name(),
                endpoint: paths.socket.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn lock_held(&self, paths: &Paths, deadline: &Deadline) -> LaunchError {
        LaunchError::LockHeld {
            daemon: self.daemon().name(),
            lock: paths.directory().to_owned(),
            holder: Record::read(paths).as_ref().and_then(describe_holder),
            waited: deadline.waited(),
        }
    }
}

/// The same for the daemon's default instance.
impl Daemon {
    /// Connects to the default instance. See [`Instance::connect`].
    ///
    /// # Errors
    ///
    /// See [`LaunchError`].
    pub fn connect(self) -> Result<IpcStream, LaunchError> {
        self.instance().connect()
    }

    /// Connects to the default instance, and starts it if it is not there. See
    /// [`Instance::connect_or_spawn`].
    ///
    /// # Errors
    ///
    /// See [`LaunchError`].
    pub fn connect_or_spawn(self) -> Result<IpcStream, LaunchError> {
        self.instance().connect_or_spawn()
    }
}

/// Connects, if somebody listens, and looks who it is.
fn reach(paths: &Paths, deadline: &Deadline) -> Result<Option<IpcStream>, LaunchError> {
    let endpoint = || paths.socket.clone();
    let stream = match platform::connect(&paths.socket, deadline.end()) {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                io::ErrorKind::PermissionDenied => Err(LaunchError::NoPermission {
                    endpoint: endpoint(),
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
    let foreign = platform::foreign_peer(&stream);
    match foreign.map_err(LaunchError::io("ask who answers on", &paths.socket))? {
        None => Ok(Some(stream)),
        Some(user) => Err(LaunchError::ForeignPeer {
            endpoint: endpoint(),
            user,
        }),
    }
}

/// A point at which a test can make a launch fail.
fn pass(paths: &Paths, name: &'static str) -> Result<(), LaunchError> {
    fault::point(name).map_err(LaunchError::io("go on in", paths.directory()))
}

/// Others may have queued for a daemon that has ended: they find the reason in the record.
pub(super) fn record_failure(
    instance: &Instance,
    paths: &Paths,
    started: &Started,
    outcome: &Result<Outcome, LaunchError>,
) {
    let (status, reason) = match outcome {
        Ok(outcome) if outcome.is_already_bound() => return,
        Ok(Outcome::Ended { status, reason }) => (*status, reason.clone()),
        Err(error @ LaunchError::Hung { reached, .. }) => {
            let _ = error;
            (
                None,
                Some(format!("it hung at its start ({reached}), and was killed")),
            )
        }
        _ => return,
    };
    let log = &started.log.path;
    failure::record_failure(instance, paths, started.pid, status, reason.as_deref(), log);
}

fn try_lock(paths: &Paths) -> Result<Option<LaunchLock>, LaunchError> {
    match LaunchLock::try_take(paths) {
        Ok(lock) => Ok(lock),
        // Somebody has removed the directory meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            paths.prepare()?;
            Ok(None)
        }
        Err(error) => Err(LaunchError::io("lock", paths.directory())(error)),
    }
}
