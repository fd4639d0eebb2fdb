//! Steps 7 and 8: hear how the daemon fares, and let go of the lock once it has it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::ExitStatus;

use super::error::{LaunchError, StartStep};
use super::hang_detection::HangDetector;
use super::spawn::{Log, Started};
use crate::deadline::Deadline;
use crate::handoff::{EXIT_ALREADY_BOUND, Event};
use crate::platform::{self, Line};
use crate::{Daemon, Wait};

/// How much of a daemon's output an error shows.
const SHOWN: u64 = 4096;

/// Why a daemon ends that has said that it is stopping.
pub(super) const ASKED_TO_END: &str = "it was asked to end";

/// What came of a start.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The daemon has come as far as was waited for.
    Up,
    /// The daemon has ended.
    Ended {
        /// How, if that is known.
        status: Option<ExitStatus>,
        /// Why, if it has said so.
        reason: Option<String>,
    },
}

impl Outcome {
    /// Whether the daemon has left because there is another one.
    pub(super) fn is_already_bound(&self) -> bool {
        let code = match self {
            Self::Ended {
                status: Some(status),
                ..
            } => status.code(),
            _ => None,
        };
        code == Some(i32::from(EXIT_ALREADY_BOUND))
    }

    /// The error that this is.
    pub(super) fn into_error(self, daemon: Daemon, log: &Log) -> LaunchError {
        let (status, reason) = match self {
            Self::Ended { status, reason } => (status, reason),
            Self::Up => (None, None),
        };
        LaunchError::Died {
            daemon: daemon.name(),
            status,
            reason,
            output: tail(log).unwrap_or_default(),
            log: log.path.clone(),
        }
    }
}

/// Waits until the daemon has come as far as is wanted, or has ended, or the deadline is over.
pub(super) fn wait(
    daemon: Daemon,
    started: &mut Started,
    wanted: Wait,
    deadline: &Deadline,
) -> Result<Outcome, LaunchError> {
    if wanted == Wait::Nothing {
        return Ok(Outcome::Up);
    }
    let mut reached = StartStep::Spawned;
    let mut reason = None;
    let mut watch = HangDetector::new(started.pid, deadline);
    loop {
        let line = started.channel.next_line(watch.listen_until(deadline));
        match line.map_err(LaunchError::io(
            "hear from the daemon of",
            &started.log.path,
        ))? {
            Line::Text(line) => match Event::from_line(&line) {
                Some(Event::Adopted) => {
                    started.copy = None;
                    reached = reached.max(StartStep::Adopted);
                }
                Some(Event::Bound) => reached = reached.max(StartStep::Bound),
                Some(Event::Ready) => reached = StartStep::Ready,
                Some(Event::Stopping) => reason = Some(ASKED_TO_END.to_owned()),
                Some(Event::Failed(why)) => reason = Some(why),
                Some(Event::Status(_)) | None => {}
            },
            Line::End => {
                let status = started.child.exit_status();
                return Ok(Outcome::Ended { status, reason });
            }
            Line::TimedOut if !deadline.is_over() => watch.look(),
            Line::TimedOut => return Err(too_slow(daemon, started, reached, &watch, deadline)),
        }
        if is_far_enough(reached, wanted) {
            return Ok(Outcome::Up);
        }
    }
}

/// What to say of a daemon that is not up at the deadline. One that hangs before it is bound is killed: it
/// holds the lock, so nobody would ever be served.
fn too_slow(
    daemon: Daemon,
    started: &mut Started,
    reached: StartStep,
    watch: &HangDetector,
    deadline: &Deadline,
) -> LaunchError {
    let daemon = daemon.name();
    let log = started.log.path.clone();
    if reached < StartStep::Bound
        && watch.is_hung(deadline)
        && platform::kill_child(started.pid).is_ok()
    {
        let output = tail(&started.log).unwrap_or_default();
        // Reaped here, within its second: the lock is free when the caller tries again.
        started.child.exit_status();
        return LaunchError::Hung {
            daemon,
            reached,
            waited: deadline.waited(),
            output,
            log,
        };
    }
    LaunchError::SlowStart {
        daemon,
        reached,
        waited: deadline.waited(),
        log,
    }
}

fn is_far_enough(reached: StartStep, wanted: Wait) -> bool {
    match wanted {
        Wait::Bound | Wait::Nothing => reached >= StartStep::Bound,
        Wait::Ready => reached >= StartStep::Ready,
    }
}

/// The last that this daemon has printed.
fn tail(log: &Log) -> io::Result<String> {
    let mut file = File::open(&log.path)?;
    let length = file.metadata()?.len();
    let from = log.begin.max(length.saturating_sub(SHOWN));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(SHOWN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
