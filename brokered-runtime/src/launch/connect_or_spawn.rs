//! Steps 2, 3 and 6: take the instance lock or connect, whichever comes first; then launch and connect.

use std::io;

use super::children;
use super::connect::try_connect;
use super::error::{LaunchError, StartStage, describe_holder};
use super::failure_record::record_failure;
use super::ready;
use super::spawn;
use super::wait::{self, Outcome};
use crate::backoff::Backoff;
use crate::control::{client, obstacle};
use crate::deadline::Deadline;
use crate::identity::paths::Paths;
use crate::instance_lock::LauncherLocks;
use crate::platform::Access;
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, IpcStream, WaitFor, fault, handoff, own_daemon};

/// How often one call starts a daemon that then reports another daemon, which this call cannot find.
const MAX_LAUNCHES: u32 = 3;

/// How a launch ended.
enum LaunchResult {
    /// The daemon is up, and this is a connection to it.
    Connected(IpcStream),
    /// The daemon has ended because another one is bound. The error is returned if no other daemon can be found.
    AlreadyBound(LaunchError),
}

impl Instance {
    /// Connects to the daemon, and starts it first if it is not running.
    ///
    /// However many clients call this at the same moment, one daemon is started, and all of them are connected to
    /// it. The connection is made while the daemon is still starting, and waits in its backlog. A client that
    /// starts the daemon also waits as [`wait`](Instance::wait) says, so that this call returns the errors of the
    /// start-up.
    ///
    /// The whole call takes no longer than the [`deadline`](Instance::deadline).
    ///
    /// A connection does not guarantee a reply:
    ///
    /// - A process that is about to die still has clients in its backlog. Their streams end without a reply. A
    ///   client whose request is safe to repeat then calls [`last_failure`](Instance::last_failure), which waits
    ///   until that process is gone, and connects again.
    /// - A process that is stopped does not reply, and a daemon without a free descriptor closes the connection after
    ///   five seconds. A client that cannot wait without limit sets a timeout on the stream.
    ///
    /// In a load, a call that would wait for the daemon itself is [`LaunchError::OwnDaemon`], and one that waits until
    /// a daemon is ready which waits for this one is [`ControlError::WaitCycle`](crate::ControlError::WaitCycle). See
    /// [`guide::failures`](crate::guide::failures#loads-that-wait-for-each-other).
    ///
    /// ```no_run
    /// use std::io::{Read, Write};
    /// use brokered_runtime::Daemon;
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut stream = INDEXD.instance().connect_or_spawn()?;
    /// stream.write_all(b"how many files?\n")?;
    /// let mut reply = String::new();
    /// stream.read_to_string(&mut reply)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Platform differences
    ///
    /// On Linux, the launcher binds the endpoint and passes it on. On macOS, the BSDs and Windows, the daemon binds
    /// the endpoint itself, and clients can connect from then on.
    ///
    /// # Errors
    ///
    /// See [`LaunchError`]. After any of them, it is safe to call again.
    pub fn connect_or_spawn(&self) -> Result<IpcStream, LaunchError> {
        self.check_enabled()?;
        children::reap();
        let deadline = Deadline::after(self.launch.deadline);
        let paths = self.paths()?;
        self.check_not_own(paths)?;
        match self.try_connect_as_wanted(paths, &deadline)? {
            Some(stream) => Ok(stream),
            None => self.connect_or_launch(paths, &deadline),
        }
    }

    /// Connects if that takes no waiting. `None` also if the client wants a daemon that is ready.
    #[cfg(feature = "tokio")]
    pub(super) fn try_connect_as_wanted_now(&self) -> Result<Option<IpcStream>, LaunchError> {
        self.check_enabled()?;
        children::reap();
        self.check_not_own(self.paths()?)?;
        match self.launch.wait {
            WaitFor::Ready => Ok(None),
            WaitFor::Bound | WaitFor::Nothing => self.try_connect_now(),
        }
    }

    /// Connects if a process listens. Then waits until the daemon is ready, if the client wants that.
    fn try_connect_as_wanted(
        &self,
        paths: &Paths,
        deadline: &Deadline,
    ) -> Result<Option<IpcStream>, LaunchError> {
        let Some(stream) = try_connect(paths, deadline)? else {
            return Ok(None);
        };
        let is_ready =
            self.launch.wait != WaitFor::Ready || ready::wait_until_ready(paths, deadline)?;
        Ok(is_ready.then_some(stream))
    }

    /// Step 2: takes the lock or connects, whichever comes first.
    fn connect_or_launch(
        &self,
        paths: &Paths,
        deadline: &Deadline,
    ) -> Result<IpcStream, LaunchError> {
        if handoff::is_launched_but_not_daemon() {
            return Err(LaunchError::InsideDaemon {
                endpoint: paths.socket.clone(),
            });
        }
        fault_point(paths, "launch:no-listener")?;
        paths.prepare()?;
        fault_point(paths, "launch:directory-prepared")?;
        let mut backoff = Backoff::new();
        let mut launches = 0;
        let mut has_paused = false;
        loop {
            if let Some(lock) = try_lock(paths)? {
                fault_point(paths, "launch:locked")?;
                // A daemon may have come up and released the lock again during the pause. Without a pause, the
                // connect that failed is too recent for that.
                if has_paused && let Some(stream) = self.try_connect_as_wanted(paths, deadline)? {
                    return Ok(stream);
                }
                launches += 1;
                match self.launch(paths, lock, deadline)? {
                    LaunchResult::Connected(stream) => return Ok(stream),
                    // If there is another daemon, it holds the lock now, and the next round connects to it.
                    LaunchResult::AlreadyBound(_) if launches < MAX_LAUNCHES => {}
                    LaunchResult::AlreadyBound(error) => return Err(error),
                }
            }
            if deadline.is_over() {
                return Err(self.lock_held(paths, deadline));
            }
            backoff.pause(deadline);
            has_paused = true;
            if let Some(stream) = self.try_connect_as_wanted(paths, deadline)? {
                return Ok(stream);
            }
        }
    }

    /// Steps 3 to 8, with the lock held: starts the daemon, connects, and waits for its events.
    fn launch(
        &self,
        paths: &Paths,
        lock: LauncherLocks,
        deadline: &Deadline,
    ) -> Result<LaunchResult, LaunchError> {
        self.check_owner(paths)?;
        // Before the start: the daemon's own loads may wait for this process.
        let _wait = match self.launch.wait {
            WaitFor::Ready => own_daemon::begin_wait(paths.directory()),
            WaitFor::Bound | WaitFor::Nothing => None,
        };
        let mut started = spawn::start(self, paths, lock)?;
        // Connecting comes first where the launcher has bound: the connection is then in the backlog at once.
        let early_stream = if started.is_bound {
            try_connect(paths, deadline)?
        } else {
            None
        };
        fault_point(paths, "launch:connected")?;
        let wait_for = match self.launch.wait {
            // There is nothing to connect to before a daemon that binds itself is bound.
            WaitFor::Nothing if early_stream.is_none() => WaitFor::Bound,
            wait_for => wait_for,
        };
        let outcome = wait::wait(self.daemon(), &mut started, wait_for, deadline);
        fault_point(paths, "launch:bound-received")?;
        record_failure(self, paths, &started, &outcome);
        let outcome = outcome.map_err(|error| with_obstacle(error, paths))?;
        let error = |outcome: Outcome| outcome.into_error(self.daemon(), &started.log);
        if outcome.is_already_bound() {
            return Ok(LaunchResult::AlreadyBound(error(outcome)));
        }
        let stream = match (&outcome, early_stream) {
            (Outcome::Up, None) => try_connect(paths, deadline)?,
            (Outcome::Up, early_stream) => early_stream,
            (Outcome::Ended { .. }, _) => None,
        };
        match stream {
            Some(stream) => Ok(LaunchResult::Connected(stream)),
            None => Err(error(outcome)),
        }
    }

    /// Refuses to start a daemon that systemd starts: two owners of one endpoint would get in each other's way.
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
            obstacle: obstacle::of(paths),
            waited: deadline.waited(),
        }
    }
}

impl Daemon {
    /// Connects to the default instance, and starts it first if it is not running. See
    /// [`Instance::connect_or_spawn`].
    ///
    /// # Errors
    ///
    /// See [`LaunchError`].
    pub fn connect_or_spawn(self) -> Result<IpcStream, LaunchError> {
        self.instance().connect_or_spawn()
    }
}

/// Adds to the error of a daemon that loads for long what it waits for.
fn with_obstacle(error: LaunchError, paths: &Paths) -> LaunchError {
    match error {
        LaunchError::SlowStart {
            daemon,
            reached,
            obstacle: None,
            waited,
            log,
        } if reached >= StartStage::Bound => LaunchError::SlowStart {
            daemon,
            reached,
            obstacle: client::obstacle_to_readiness(paths),
            waited,
            log,
        },
        error => error,
    }
}

fn try_lock(paths: &Paths) -> Result<Option<LauncherLocks>, LaunchError> {
    match LauncherLocks::try_take(paths) {
        Ok(lock) => Ok(lock),
        // Another process has removed the directory since it was prepared.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            paths.prepare()?;
            Ok(None)
        }
        Err(error) => Err(LaunchError::access("lock", paths.directory(), Access::Lock)(error)),
    }
}

/// A point at which a test can make a launch fail.
fn fault_point(paths: &Paths, name: &'static str) -> Result<(), LaunchError> {
    fault::point(name).map_err(LaunchError::io("continue the launch in", paths.directory()))
}
