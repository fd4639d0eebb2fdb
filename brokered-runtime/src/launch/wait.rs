//! Steps 7 and 8: hear how the daemon fares, and let go of the lock once it has it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::ExitStatus;

use super::clock::Clock;
use super::error::LaunchError;
use super::spawn::{Log, Started};
use crate::handover::{EXIT_ALREADY_BOUND, Event};
use crate::platform::Line;
use crate::{Daemon, Phase, Wait};

/// How much of a daemon's output an error shows.
const SHOWN: u64 = 4096;

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
    clock: &Clock,
) -> Result<Outcome, LaunchError> {
    if wanted == Wait::Nothing {
        return Ok(Outcome::Up);
    }
    let mut reached = None;
    let mut reason = None;
    loop {
        let line = started.channel.next_line(clock.deadline);
        match line.map_err(LaunchError::io(
            "hear from the daemon of",
            &started.log.path,
        ))? {
            Line::Text(line) => match Event::from_line(&line) {
                Some(Event::Adopted) => started.copy = None,
                Some(Event::Bound) => reached = Some(Phase::Bound),
                Some(Event::Ready) => reached = Some(Phase::Ready),
                Some(Event::Stopping) => reason = Some("it was asked to end".to_owned()),
                Some(Event::Failed(why)) => reason = Some(why),
                Some(Event::Status(_)) | None => {}
            },
            Line::End => {
                let status = started.child.exit_status();
                return Ok(Outcome::Ended { status, reason });
            }
            Line::TimedOut => {
                return Err(LaunchError::SlowStart {
                    daemon: daemon.name(),
                    reached,
                    waited: clock.waited(),
                    log: started.log.path.clone(),
                });
            }
        }
        if reached.is_some_and(|reached| is_far_enough(reached, wanted)) {
            return Ok(Outcome::Up);
        }
    }
}

fn is_far_enough(reached: Phase, wanted: Wait) -> bool {
    match wanted {
        Wait::Bound | Wait::Nothing => reached >= Phase::Bound,
        Wait::Ready => reached >= Phase::Ready,
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
