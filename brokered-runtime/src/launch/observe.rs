//! A launch whose every step is told as it happens, for the operator's `trace`.

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

/// A step of a launch, on the launcher's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The instance lock is taken.
    Locked,
    /// The endpoint is bound, lock and listener are in the message, and the executable runs.
    Spawned,
    /// A client is connected, and waits in the backlog.
    Connected,
    /// The daemon has told something.
    Told(Told),
}

/// What a daemon tells its launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the events of the protocol, by their names")]
pub enum Told {
    Adopted,
    Bound,
    Ready,
    Stopping,
    Failed(String),
    Other(String),
}

/// What came of an observed launch.
#[derive(Debug)]
pub(crate) enum Observed {
    /// Somebody else holds the lock.
    AlreadyRunning,
    /// The daemon is up. The stream was connected before it was.
    Up(Option<IpcStream>),
}

/// Launches with the lock, if it is free, and tells each step until the daemon is ready, has ended, or the
/// deadline is over.
pub(crate) fn launch(
    instance: &Instance,
    timeout: Duration,
    on: &mut dyn FnMut(Step, SystemTime),
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
    on(Step::Locked, SystemTime::now());
    let mut started = spawn::start(instance, paths, lock)?;
    on(Step::Spawned, SystemTime::now());
    let mut stream = connect(paths, &deadline);
    if stream.is_some() {
        on(Step::Connected, SystemTime::now());
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
                let told = told(&line);
                match &told {
                    Told::Adopted => started.copy = None,
                    Told::Stopping => reason = Some(ASKED_TO_END.to_owned()),
                    Told::Failed(why) => reason = Some(why.clone()),
                    Told::Bound if stream.is_none() => {
                        stream = connect(paths, &deadline);
                        on(Step::Connected, SystemTime::now());
                    }
                    _ => {}
                }
                let is_ready = told == Told::Ready;
                on(Step::Told(told), now);
                if is_ready {
                    return Ok(Observed::Up(stream));
                }
            }
            Line::TimedOut => return Ok(Observed::Up(stream)),
            Line::End => {
                let status = started.child.exit_status();
                // A daemon that lets go of the channel at its end has not ended for that.
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

fn told(line: &str) -> Told {
    match Event::from_line(line) {
        Some(Event::Adopted) => Told::Adopted,
        Some(Event::Bound) => Told::Bound,
        Some(Event::Ready) => Told::Ready,
        Some(Event::Stopping) => Told::Stopping,
        Some(Event::Failed(why)) => Told::Failed(why),
        #[allow(unreachable_patterns, reason = "newer events have names of their own")]
        _ => Told::Other(line.to_owned()),
    }
}
