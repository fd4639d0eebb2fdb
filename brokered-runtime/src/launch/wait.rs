//! Steps 7 and 8: wait for the daemon's events, until it is up, has ended, or the deadline is over.

use std::process::ExitStatus;

use super::error::{LaunchError, StartStage};
use super::hang_detection::HangDetector;
use super::log::Log;
use super::started::{Received, StartedDaemon};
use crate::control::obstacle;
use crate::deadline::Deadline;
use crate::handoff::{EXIT_ALREADY_BOUND, Event};
use crate::{Daemon, WaitFor, platform};

/// How a start ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The daemon has reached the stage that the client waits for.
    Up,
    /// The daemon has ended.
    Ended {
        /// Its exit status, if this process could reap it.
        status: Option<ExitStatus>,
        /// The reason, if the daemon has reported one.
        reason: Option<String>,
    },
}

impl Outcome {
    /// The outcome of a start whose channel is closed.
    pub(super) fn ended(started: &mut StartedDaemon) -> Self {
        Self::Ended {
            status: started.child.exit_status(),
            reason: started.reason.take(),
        }
    }

    /// Whether the daemon has ended because another one is bound.
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

    /// The error of a daemon that has ended, or that was up and cannot be connected to.
    pub(super) fn into_error(self, daemon: Daemon, log: &Log) -> LaunchError {
        let (status, reason) = match self {
            Self::Ended { status, reason } => (status, reason),
            Self::Up => (None, None),
        };
        LaunchError::Died {
            daemon: daemon.name(),
            status,
            reason,
            output: log.tail(),
            log: log.path.clone(),
        }
    }
}

/// Waits until the daemon has reached the stage that is wanted, or has ended.
pub(super) fn wait(
    daemon: Daemon,
    started: &mut StartedDaemon,
    wait_for: WaitFor,
    deadline: &Deadline,
) -> Result<Outcome, LaunchError> {
    let wanted = match wait_for {
        WaitFor::Nothing => return Ok(Outcome::Up),
        WaitFor::Bound => StartStage::Bound,
        WaitFor::Ready => StartStage::Ready,
    };
    let mut reached = StartStage::Spawned;
    let mut hang_detector = HangDetector::new(started.pid, deadline);
    while reached < wanted {
        match started.receive(hang_detector.wait_until(deadline))? {
            Received::Event(event) => reached = reached.max(stage_of(&event)),
            Received::Unknown(_) => {}
            Received::Closed => return Ok(Outcome::ended(started)),
            Received::TimedOut if !deadline.is_over() => hang_detector.take_first_sample(),
            Received::TimedOut => {
                return Err(late(daemon, started, reached, &hang_detector, deadline));
            }
        }
    }
    Ok(Outcome::Up)
}

/// The stage that a daemon has reached when it sends an event.
fn stage_of(event: &Event) -> StartStage {
    match event {
        Event::Adopted => StartStage::Adopted,
        Event::Bound => StartStage::Bound,
        Event::Ready => StartStage::Ready,
        Event::Status(_) | Event::Stopping | Event::Failed(_) => StartStage::Spawned,
    }
}

/// The error of a daemon that is not up at the deadline. Kills one that hangs before it is bound: it holds the lock,
/// so that no client could ever be served.
fn late(
    daemon: Daemon,
    started: &mut StartedDaemon,
    reached: StartStage,
    hang_detector: &HangDetector,
    deadline: &Deadline,
) -> LaunchError {
    let daemon = daemon.name();
    let log = started.log.path.clone();
    if reached < StartStage::Bound
        && hang_detector.is_hung(deadline)
        && platform::kill_child(started.pid).is_ok()
    {
        let output = started.log.tail();
        // Reaped here, so that the lock is free when the caller tries again.
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
        obstacle: obstacle::of_child(started.pid),
        waited: deadline.waited(),
        log,
    }
}
