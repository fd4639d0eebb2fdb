//! A launch that reports each of its steps, for the operator's `trace`.
//!
//! The steps are those of `connect_or_spawn`. This launch waits for readiness, never kills a daemon, and reports a
//! slow one as up.

use std::time::{Duration, SystemTime};

use super::error::LaunchError;
use super::failure_record::record_failure;
use super::spawn;
use super::started::Received;
use super::wait::Outcome;
use crate::deadline::Deadline;
use crate::handoff::Event;
use crate::identity::paths::Paths;
use crate::instance_lock::LauncherLocks;
use crate::platform::{self, Access};
use crate::record::Record;
use crate::{Instance, IpcStream};

/// A step of a launch, as the launcher sees it. [`Launcher::trace`](crate::operator::Launcher::trace) reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaunchEvent {
    /// The launcher holds the instance lock.
    Locked,
    /// The endpoint is bound where the launcher binds, the message is sent, and the process is started.
    Spawned,
    /// The launcher is connected, and waits in the backlog.
    Connected,
    /// The daemon has sent an event.
    Daemon(DaemonEvent),
}

/// An event that a daemon sends to its launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DaemonEvent {
    /// The daemon has taken over the lock, and the listener if the launcher has bound.
    Adopted,
    /// The endpoint is bound and recorded.
    Bound,
    /// All states have loaded.
    Ready,
    /// The daemon ends because it was asked to.
    Stopping,
    /// The daemon ends because of this failure.
    Failed(String),
    /// Any other line.
    Other(String),
}

/// The result of an observed launch.
#[derive(Debug)]
pub(crate) enum ObservedLaunch {
    /// Another process holds the lock.
    AlreadyRunning,
    /// The daemon is up. The stream is the connection that the launcher has made during the start-up.
    Up(Option<IpcStream>),
}

/// Launches if the lock is free, and reports each step until the daemon is ready, has ended, or the timeout is over.
pub(crate) fn launch(
    instance: &Instance,
    timeout: Duration,
    on_event: &mut dyn FnMut(LaunchEvent, SystemTime),
) -> Result<ObservedLaunch, LaunchError> {
    instance.check_enabled()?;
    let deadline = Deadline::after(timeout);
    let paths = instance.paths()?;
    paths.prepare()?;
    let lock = LauncherLocks::try_take(paths).map_err(LaunchError::access(
        "lock",
        paths.directory(),
        Access::Lock,
    ))?;
    let Some(lock) = lock else {
        return Ok(ObservedLaunch::AlreadyRunning);
    };
    instance.check_owner(paths)?;
    on_event(LaunchEvent::Locked, SystemTime::now());
    let mut started = spawn::start(instance, paths, lock)?;
    on_event(LaunchEvent::Spawned, SystemTime::now());
    let mut stream = connect(paths, &deadline);
    if stream.is_some() {
        on_event(LaunchEvent::Connected, SystemTime::now());
    }
    loop {
        let received = started.receive(deadline.end())?;
        let received_at = SystemTime::now();
        let event = match received {
            Received::Event(event) => event_from(event),
            Received::Unknown(line) => DaemonEvent::Other(line),
            Received::TimedOut => return Ok(ObservedLaunch::Up(stream)),
            Received::Closed => {
                let outcome = Outcome::ended(&mut started);
                // A daemon may close the channel and keep running.
                let has_ended = !matches!(
                    outcome,
                    Outcome::Ended {
                        status: None,
                        reason: None
                    }
                );
                if !has_ended && Record::read(paths).is_some() {
                    return Ok(ObservedLaunch::Up(stream));
                }
                let outcome = Ok(outcome);
                record_failure(instance, paths, &started, &outcome);
                return Err(outcome?.into_error(instance.daemon(), &started.log));
            }
        };
        if event == DaemonEvent::Bound && stream.is_none() {
            stream = connect(paths, &deadline);
            on_event(LaunchEvent::Connected, SystemTime::now());
        }
        let is_ready = event == DaemonEvent::Ready;
        on_event(LaunchEvent::Daemon(event), received_at);
        if is_ready {
            return Ok(ObservedLaunch::Up(stream));
        }
    }
}

fn connect(paths: &Paths, deadline: &Deadline) -> Option<IpcStream> {
    platform::connect(&paths.socket, deadline.end()).ok()
}

fn event_from(event: Event) -> DaemonEvent {
    match event {
        Event::Adopted => DaemonEvent::Adopted,
        Event::Bound => DaemonEvent::Bound,
        Event::Ready => DaemonEvent::Ready,
        Event::Stopping => DaemonEvent::Stopping,
        Event::Failed(reason) => DaemonEvent::Failed(reason),
        Event::Status(_) => DaemonEvent::Other(event.to_line()),
    }
}
