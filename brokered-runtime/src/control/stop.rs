//! [`Instance::stop`]: ask the daemon to stop, wait until it has ended, and signal it if it does not answer.

use std::io;
use std::time::Duration;

use super::connection::{ControlConnection, ReceivedLine, no_answer};
use super::error::ControlError;
use super::obstacle::{self, Obstacle};
use super::protocol::Request;
use super::status_request::{STATUS_TIMEOUT, status};
use super::wait_cycle;
use crate::deadline::Deadline;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::record::Record;
use crate::{Daemon, Instance, platform};

/// How long a daemon may take to answer a stop request before it is signalled. Its supervisor thread answers at once,
/// so only a process that is stopped or hung takes longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The result of [`Instance::stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopOutcome {
    /// The daemon was asked to stop, and has ended.
    Ended,
    /// The daemon did not answer, was sent `SIGTERM`, and has ended.
    Signalled,
    /// The daemon's process was ended with `SIGKILL`. Only the operator's API does this.
    Killed,
    /// There was no daemon.
    WasNotRunning,
}

impl Instance {
    /// Asks the daemon to stop, and waits until it has ended. Never starts the daemon.
    ///
    /// The daemon shuts down gracefully: it serves its open connections and its backlog for at most ten seconds.
    /// Several requests to stop do not cut the drain short. The call takes no longer than the
    /// [`deadline`](Self::deadline); a daemon that is still draining then keeps shutting down.
    ///
    /// A daemon that does not answer within two seconds is sent `SIGTERM`, but only if the recorded process is
    /// verified to be the daemon.
    ///
    /// ```no_run
    /// use brokered_runtime::{Daemon, StopOutcome};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # fn main() -> Result<(), brokered_runtime::ControlError> {
    /// match INDEXD.instance().stop()? {
    ///     StopOutcome::WasNotRunning => println!("indexd was not running"),
    ///     _ => println!("indexd has ended"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Platform differences
    ///
    /// Only Linux can verify a process ID. Elsewhere, a daemon that does not answer is not signalled, and the error is
    /// [`ControlError::ProcessNotVerified`].
    ///
    /// # Errors
    ///
    /// [`ControlError::TimedOut`] if the daemon has not ended at the deadline, [`ControlError::ProcessNotVerified`] if
    /// it does not answer and the recorded process may be another one. In the load of the daemon itself it is
    /// [`ControlError::OwnDaemon`]: a load calls [`Handle::stop`](crate::Handle::stop). See [`ControlError`] for the
    /// others.
    pub fn stop(&self) -> Result<StopOutcome, ControlError> {
        stop(self.paths()?, &Deadline::after(self.launch.deadline))
    }
}

impl Daemon {
    /// Asks the default instance to stop. See [`Instance::stop`].
    ///
    /// # Errors
    ///
    /// See [`Instance::stop`].
    pub fn stop(self) -> Result<StopOutcome, ControlError> {
        self.instance().stop()
    }
}

/// Asks the daemon to stop, and waits until it has ended. Signals it if it does not answer.
pub(crate) fn stop(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    wait_cycle::refuse_own_in_load(paths)?;
    match request_stop(paths, deadline) {
        Err(ControlError::NotRunning { .. }) => Ok(StopOutcome::WasNotRunning),
        Err(ControlError::NoAnswer { .. } | ControlError::NoControl { .. }) => {
            signal(paths, deadline)
        }
        done => done,
    }
}

fn request_stop(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    let answer_deadline = deadline.at_most(ANSWER_TIMEOUT);
    let mut connection = ControlConnection::request(paths, Request::Stop, &answer_deadline)?;
    match connection.receive_line()? {
        ReceivedLine::Line(_) | ReceivedLine::Closed => {}
        ReceivedLine::TimedOut => return Err(no_answer(paths, deadline)),
    }
    // The connection stays open until the process has ended. It sends an error if too many clients wait for that.
    connection.set_deadline(deadline);
    loop {
        match connection.receive_line()? {
            ReceivedLine::Line(_) => {}
            ReceivedLine::Closed => return Ok(StopOutcome::Ended),
            ReceivedLine::TimedOut => return Err(not_ended(paths, deadline)),
        }
    }
}

/// Sends `SIGTERM` to the recorded process, if it is verified to be the daemon.
fn signal(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    send(
        platform::OtherProcess::terminate,
        StopOutcome::Signalled,
        paths,
        deadline,
    )
}

/// Ends the recorded process with `SIGKILL`, if it is verified to be the daemon. Nothing is served any more.
#[cfg(feature = "operator")]
pub(crate) fn kill(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    if let Ok(false) = InstanceLock::is_held(paths) {
        return Ok(StopOutcome::WasNotRunning);
    }
    send(
        platform::OtherProcess::kill,
        StopOutcome::Killed,
        paths,
        deadline,
    )
}

/// Sends a signal to the recorded process, if it is verified to be the daemon, and waits for its end.
fn send(
    signal: fn(&platform::OtherProcess) -> io::Result<()>,
    outcome: StopOutcome,
    paths: &Paths,
    deadline: &Deadline,
) -> Result<StopOutcome, ControlError> {
    let Some(record) = Record::read(paths) else {
        return Err(no_answer(paths, deadline));
    };
    let not_verified = |reason| ControlError::ProcessNotVerified {
        pid: record.pid,
        reason,
    };
    let process = platform::OtherProcess::open(record.pid)
        .map_err(|error| not_verified(format!("it cannot be reached ({error})")))?;
    if let Some(mismatch) = process.identity_mismatch(record.since_boot, paths.directory()) {
        return match InstanceLock::is_held(paths) {
            Ok(false) => Ok(StopOutcome::WasNotRunning),
            _ => Err(not_verified(mismatch)),
        };
    }
    signal(&process).map_err(|error| not_verified(format!("it cannot be signalled ({error})")))?;
    match process.wait(deadline.end()) {
        Ok(true) => Ok(outcome),
        _ => Err(not_ended(paths, deadline)),
    }
}

fn not_ended(paths: &Paths, deadline: &Deadline) -> ControlError {
    ControlError::TimedOut {
        phase: Record::read(paths).map(|record| record.phase),
        progress: None,
        waited: deadline.waited(),
        obstacle: obstacle::of(paths).or_else(|| open_connections(paths)),
    }
}

/// The connections that a daemon still serves, if it answers.
fn open_connections(paths: &Paths) -> Option<Obstacle> {
    let status = status(paths, &Deadline::after(STATUS_TIMEOUT)).ok()?;
    let number = status.connections_open;
    (number > 0).then_some(Obstacle::OpenConnections { number })
}
