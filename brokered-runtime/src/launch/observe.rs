//! A launch that reports each step as it happens, for the operator's `trace`.

use std::time::{Duration, SystemTime};

use super::connect::record_failure;
use super::error::LaunchError;
use super::spawn;
use super::wait::{ASKED_TO_END, Outcome};
use crate::deadline::Deadline;
use crate::handoff::Event;
use crate::identity::paths::Paths;
use crate::instance_lock::LaunchLock;
use crate::platform::Line;
use crate::record::Record;
use crate::{Instance, IpcStream, platform};

/// A step of a launch, as the launcher sees it. [`Launcher::trace`](crate::operator::Launcher::trace) reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaunchEvent {
    /// The launcher holds the instance lock.
    Locked,
    /// The daemon's process is started. On Unix, the launcher has bound the endpoint and has sent lock and listener.
    Spawned,
    /// The launcher's own connection is in the backlog.
    Connected,
    /// The daemon reported a step of its own.
    Daemon(DaemonEvent),
}

/// A step of the start-up that a daemon reports to its launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DaemonEvent {
    /// The daemon has adopted lock and listener.
    Adopted,
    /// The endpoint is bound and the record is written.
    Bound,
    /// All states have loaded.
    Ready,
    /// The daemon was asked to end.
    Stopping,
    /// The daemon ends because of this failure.
    Failed(String),
    /// Any other line that the daemon sent, such as its progress.
    Other(String),
}

/// The outcome of an observed launch.
#[derive(Debug)]
pub(crate) enum Observed {
    /// Another process holds the lock.
    AlreadyRunning,
    /// The daemon runs. The stream was connected before the daemon was ready.
    Up(Option<IpcStream>),
}

/// Takes the lock if it is free, launches the daemon, and reports each step until the daemon is ready, has ended,
/// or the deadline has passed.
pub(crate) fn launch(
    instance: &Instance,
    timeout: Duration,
    on_event: &mut dyn FnMut(LaunchEvent, SystemTime),
) -> Result<Observed, LaunchError> {
    instance.check_disabled()?;
    let deadline = Deadline::after(timeout);
    let paths = instance.paths()?;
    paths.prepare()?;
    let taken = LaunchLock::try_take(paths).map_err(LaunchError::io("lock", paths.directory()))?;
    let Some(lock) = taken else {
        return Ok(Observed::AlreadyRunning);
    };
    instance.check_owner(paths)?;
    on_event(LaunchEvent::Locked, SystemTime::now());
    let mut started = spawn::start(instance, paths, lock)?;
    on_event(LaunchEvent::Spawned, SystemTime::now());
    let mut stream = connect(paths, &deadline);
    if stream.is_some() {
        on_event(LaunchEvent::Connected, SystemTime::now());
    }
    let mut reason = None;
    loop {
        let line = started.channel.next_line(deadline.end());
        let now = SystemTime::now();
        match line.map_err(LaunchError::io(
            "hear from the daemon of",
            paths.directory(),
        ))? {
            Line::Text(line) => {
                let event = daemon_event(&line);
                match &event {
                    DaemonEvent::Adopted => started.copy = None,
                    DaemonEvent::Stopping => reason = Some(ASKED_TO_END.to_owned()),
                    DaemonEvent::Failed(why) => reason = Some(why.clone()),
                    DaemonEvent::Bound if stream.is_none() => {
                        stream = connect(paths, &deadline);
                        on_event(LaunchEvent::Connected, SystemTime::now());
                    }
                    _ => {}
                }
                let is_ready = event == DaemonEvent::Ready;
                on_event(LaunchEvent::Daemon(event), now);
                if is_ready {
                    return Ok(Observed::Up(stream));
                }
            }
            Line::TimedOut => return Ok(Observed::Up(stream)),
            Line::End => {
                let status = started.child.exit_status();
                // A running daemon may close its end of the channel.
                if status.is_none() && Record::read(paths).is_some() && reason.is_none() {
                    return Ok(Observed::Up(stream));
                }
                let ended = Ok(Outcome::Ended { status, reason });
                record_failure(instance, paths, &started, &ended);
                return Err(ended?.into_error(instance.daemon(), &started.log));
            }
        }
    }
}

fn connect(paths: &Paths, deadline: &Deadline) -> Option<IpcStream> {
    platform::connect(&paths.socket, deadline.end()).ok()
}

fn daemon_event(line: &str) -> DaemonEvent {
    match Event::from_line(line) {
        Some(Event::Adopted) => DaemonEvent::Adopted,
        Some(Event::Bound) => DaemonEvent::Bound,
        Some(Event::Ready) => DaemonEvent::Ready,
        Some(Event::Stopping) => DaemonEvent::Stopping,
        Some(Event::Failed(why)) => DaemonEvent::Failed(why),
        #[allow(unreachable_patterns, reason = "a newer event is another event")]
        _ => DaemonEvent::Other(line.to_owned()),
    }
}
