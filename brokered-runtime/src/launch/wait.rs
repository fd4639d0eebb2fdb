//! Steps 7 and 8: hear how the daemon fares, and let go of the lock once it has it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::error::LaunchError;
use super::spawn::{Log, Started};
use crate::handover::{EXIT_ALREADY_BOUND, Event};
use crate::platform::Line;
use crate::{Daemon, Phase, Wait};

/// How much of a daemon's output an error shows.
const SHOWN: u64 = 4096;

/// What came of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The daemon has come as far as was waited for.
    Up,
    /// The daemon found another one, and has left.
    AlreadyBound,
}

/// Children that were alive when they were last looked at. Asking for them leaves no zombies.
static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Waits until the daemon has come as far as is wanted, or has ended, or the deadline is over.
pub(super) fn wait(
    daemon: Daemon,
    mut started: Started,
    wanted: Wait,
    clock: &Clock,
) -> Result<Outcome, LaunchError> {
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
                Some(Event::Stopping) => reached = Some(Phase::Draining),
                Some(Event::Failed(why)) => reason = Some(why),
                None => {}
            },
            Line::End => return ended(daemon, started, reason),
            Line::TimedOut => {
                let error = LaunchError::SlowStart {
                    daemon: daemon.name(),
                    reached,
                    waited: clock.waited(),
                    log: started.log.path,
                };
                remember(started.child);
                return Err(error);
            }
        }
        if reached.is_some_and(|reached| is_far_enough(reached, wanted)) {
            remember(started.child);
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

/// The daemon's end of the channel is closed.
fn ended(daemon: Daemon, started: Started, reason: Option<String>) -> Result<Outcome, LaunchError> {
    let Started { mut child, log, .. } = started;
    let status = exit_status(&mut child);
    if status.is_none() {
        remember(child);
    }
    if status.and_then(|status| status.code()) == Some(i32::from(EXIT_ALREADY_BOUND)) {
        return Ok(Outcome::AlreadyBound);
    }
    Err(LaunchError::Died {
        daemon: daemon.name(),
        status,
        reason,
        output: tail(&log).unwrap_or_default(),
        log: log.path,
    })
}

/// The exit status of a child whose channel has closed: it is about to end, if it has not.
fn exit_status(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            // Still there, or the host program takes its children's statuses for itself.
            Ok(None) | Err(_) => return None,
        }
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

/// Remembers a child that goes on living, and buries those that have not.
pub(super) fn remember(child: Child) {
    let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    children.push(child);
}
