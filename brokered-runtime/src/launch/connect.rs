//! Steps 1 to 3 and 6: connect, or take the lock and launch.

use std::env;
use std::io;

use super::clock::{Clock, Pause};
use super::error::{LaunchError, describe_holder};
use super::spawn::{self, Started};
use super::wait::{self, Outcome};
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::record::Record;
use crate::{Daemon, Instance, IpcStream, Wait, handover, platform};

impl Instance {
    /// Connects to the daemon, and starts nothing.
    ///
    /// No lock is taken and no file is read. The peer is this process's own user, or it is an error.
    ///
    /// # Errors
    ///
    /// [`LaunchError::NotRunning`] if nobody listens; see [`LaunchError`] for what else can be.
    pub fn connect(&self) -> Result<IpcStream, LaunchError> {
        let clock = Clock::start(self.launch.deadline);
        let paths = self.paths()?;
        reach(paths, &clock)?.ok_or_else(|| LaunchError::NotRunning {
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
    /// queue, and their streams end. A client whose request may be repeated connects once more then.
    ///
    /// # Errors
    ///
    /// See [`LaunchError`]. Whatever it is, calling again is always safe.
    pub fn connect_or_spawn(&self) -> Result<IpcStream, LaunchError> {
        let clock = Clock::start(self.launch.deadline);
        let paths = self.paths()?;
        match reach(paths, &clock)? {
            Some(stream) => Ok(stream),
            None => self.contend(paths, &clock),
        }
    }

    /// Takes the lock or connects, whichever comes first.
    fn contend(&self, paths: &Paths, clock: &Clock) -> Result<IpcStream, LaunchError> {
        if env::var_os(handover::LAUNCH).is_some() {
            return Err(LaunchError::InsideDaemon {
                endpoint: paths.socket.clone(),
            });
        }
        paths.prepare()?;
        let mut pause = Pause::new();
        let mut may_launch = true;
        loop {
            if may_launch && let Some(lock) = try_lock(paths)? {
                match self.launch(paths, lock, clock)? {
                    Some(stream) => return Ok(stream),
                    // There is a daemon, its own child says; so no other one is started.
                    None => may_launch = false,
                }
            }
            if clock.is_over() {
                return Err(self.held(paths, clock));
            }
            pause.pause(clock);
            if let Some(stream) = reach(paths, clock)? {
                return Ok(stream);
            }
        }
    }

    /// With the lock held: launches, and connects. `None` if the daemon found another one.
    fn launch(
        &self,
        paths: &Paths,
        lock: InstanceLock,
        clock: &Clock,
    ) -> Result<Option<IpcStream>, LaunchError> {
        // It may have come up just before the lock was free.
        if let Some(stream) = reach(paths, clock)? {
            return Ok(Some(stream));
        }
        let started = spawn::start(self, paths, lock)?;
        if started.is_bound {
            self.connect_and_wait(paths, started, clock)
        } else {
            self.wait_and_connect(paths, started, clock)
        }
    }

    /// The endpoint is bound, so the connection comes first.
    fn connect_and_wait(
        &self,
        paths: &Paths,
        started: Started,
        clock: &Clock,
    ) -> Result<Option<IpcStream>, LaunchError> {
        let stream = reach(paths, clock)?;
        if self.launch.wait == Wait::Nothing {
            wait::remember(started.child);
            return Ok(stream);
        }
        match wait::wait(self.daemon(), started, self.launch.wait, clock)? {
            Outcome::Up => Ok(stream),
            Outcome::AlreadyBound => Ok(None),
        }
    }

    /// The daemon binds, so it must have come that far, whatever else is waited for.
    fn wait_and_connect(
        &self,
        paths: &Paths,
        started: Started,
        clock: &Clock,
    ) -> Result<Option<IpcStream>, LaunchError> {
        let wait_for = match self.launch.wait {
            Wait::Ready => Wait::Ready,
            Wait::Bound | Wait::Nothing => Wait::Bound,
        };
        match wait::wait(self.daemon(), started, wait_for, clock)? {
            Outcome::Up => reach(paths, clock),
            Outcome::AlreadyBound => Ok(None),
        }
    }

    fn held(&self, paths: &Paths, clock: &Clock) -> LaunchError {
        LaunchError::Held {
            daemon: self.daemon().name(),
            lock: paths.directory().to_owned(),
            holder: Record::read(paths).as_ref().map(describe_holder),
            waited: clock.waited(),
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
fn reach(paths: &Paths, clock: &Clock) -> Result<Option<IpcStream>, LaunchError> {
    let endpoint = || paths.socket.clone();
    let stream = match platform::connect(&paths.socket, clock.deadline) {
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
                    waited: clock.waited(),
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

fn try_lock(paths: &Paths) -> Result<Option<InstanceLock>, LaunchError> {
    match InstanceLock::try_take(paths) {
        Ok(lock) => Ok(lock),
        // Somebody has removed the directory meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            paths.prepare()?;
            Ok(None)
        }
        Err(error) => Err(LaunchError::io("lock", paths.directory())(error)),
    }
}
