//! [`Instance::status`] and [`Instance::wait_ready`].

use super::connection::{ControlConnection, ReceivedLine, no_answer};
use super::error::ControlError;
use super::obstacle::{self, Obstacle};
use super::protocol::{FAILED, PHASE, PROGRESS, Request};
use super::status::Status;
use super::status_request::STATUS_TIMEOUT;
pub(crate) use super::status_request::status;
use super::wait_cycle;
use crate::deadline::Deadline;
use crate::fields::Fields;
use crate::identity::paths::Paths;
use crate::record::Record;
use crate::{Daemon, Instance, Phase};

impl Instance {
    /// Requests the daemon's status. Never starts the daemon.
    ///
    /// The daemon's supervisor thread replies, however busy the daemon's own threads are. The call takes no longer
    /// than the [`deadline`](Self::deadline).
    ///
    /// ```
    /// use brokered_runtime::{ControlError, Daemon};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # fn main() -> Result<(), ControlError> {
    /// match INDEXD.instance().status() {
    ///     Ok(status) => println!("process {} is {}", status.pid, status.phase),
    ///     Err(ControlError::NotRunning { .. }) => println!("indexd is not running"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ControlError::NotRunning`] if there is no daemon, [`ControlError::NoAnswer`] if it does not reply before the
    /// deadline. See [`ControlError`] for the others.
    pub fn status(&self) -> Result<Status, ControlError> {
        status(self.paths()?, &Deadline::after(self.launch.deadline))
    }

    /// Waits until the daemon is ready. Never starts the daemon.
    ///
    /// Calls `on_progress` with each progress text that the daemon sets with
    /// [`Handle::set_status`](crate::Handle::set_status). The call takes no longer than the
    /// [`deadline`](Self::deadline).
    ///
    /// ```
    /// use brokered_runtime::{ControlError, Daemon};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # fn main() -> Result<(), ControlError> {
    /// match INDEXD.instance().wait_ready(|progress| println!("{progress}")) {
    ///     Ok(()) => println!("indexd is ready"),
    ///     Err(ControlError::NotRunning { .. }) => println!("indexd is not running"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ControlError::NotRunning`] if there is no daemon, [`ControlError::Ending`] if it ends before it is ready,
    /// [`ControlError::TimedOut`] at the deadline. In the load of the daemon itself it is [`ControlError::OwnDaemon`], and
    /// in the load of a daemon for which this one waits [`ControlError::WaitCycle`]. See [`ControlError`] for the others.
    pub fn wait_ready(&self, on_progress: impl FnMut(&str)) -> Result<(), ControlError> {
        let deadline = Deadline::after(self.launch.deadline);
        wait_ready(self.paths()?, &deadline, on_progress)
    }
}

impl Daemon {
    /// Requests the status of the default instance. See [`Instance::status`].
    ///
    /// # Errors
    ///
    /// See [`Instance::status`].
    pub fn status(self) -> Result<Status, ControlError> {
        self.instance().status()
    }
}

/// Waits until the daemon is ready, and passes its progress texts on.
pub(crate) fn wait_ready(
    paths: &Paths,
    deadline: &Deadline,
    mut on_progress: impl FnMut(&str),
) -> Result<(), ControlError> {
    let _wait = wait_cycle::begin_wait(paths, deadline)?;
    let mut connection = ControlConnection::request(paths, Request::WaitReady, deadline)?;
    let mut phase = None;
    let mut progress = None;
    let mut reason = None;
    loop {
        let line = match connection.receive_line()? {
            ReceivedLine::Line(line) => line,
            // The daemon has ended without a last reply. If it failed, its record has the reason.
            ReceivedLine::Closed => {
                let reason = reason.or_else(|| recorded_failure(paths));
                let phase = if reason.is_some() {
                    Phase::Failed
                } else {
                    Phase::Stopped
                };
                return Err(ControlError::Ending { phase, reason });
            }
            ReceivedLine::TimedOut if phase.is_none() => return Err(no_answer(paths, deadline)),
            ReceivedLine::TimedOut => {
                return Err(ControlError::TimedOut {
                    phase,
                    progress,
                    waited: deadline.waited(),
                    obstacle: obstacle_to_readiness(paths),
                });
            }
        };
        let fields = Fields::of(&line);
        if let Some(new_phase) = fields.text(PHASE).and_then(|phase| phase.parse().ok()) {
            phase = Some(new_phase);
        }
        if let Some(text) = fields.text(PROGRESS) {
            on_progress(&text);
            progress = Some(text);
        }
        reason = fields.text(FAILED).or(reason);
        match phase {
            Some(Phase::Ready) => return Ok(()),
            Some(phase) if phase > Phase::Ready && line.is_empty() => {
                return Err(ControlError::Ending { phase, reason });
            }
            _ => {}
        }
    }
}

/// Why the last daemon failed, by its record.
fn recorded_failure(paths: &Paths) -> Option<String> {
    Record::read(paths)
        .filter(|record| record.phase == Phase::Failed)
        .and_then(|record| record.failure)
}

/// What keeps the daemon from being ready.
pub(crate) fn obstacle_to_readiness(paths: &Paths) -> Option<Obstacle> {
    obstacle::of(paths).or_else(|| {
        let status = status(paths, &Deadline::after(STATUS_TIMEOUT)).ok()?;
        match (status.waits_for, status.connected_to) {
            (waits_for, _) if !waits_for.is_empty() => Some(Obstacle::WaitsFor {
                instances: waits_for,
            }),
            (_, connected_to) if !connected_to.is_empty() => Some(Obstacle::ConnectedTo {
                instances: connected_to,
            }),
            _ => None,
        }
    })
}
