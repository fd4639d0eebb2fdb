//! [`Instance::reload`]: ask the daemon to reload, and wait for the result.

use std::time::Duration;

use super::client::obstacle_to_readiness;
use super::connection::{ControlConnection, ReceivedLine, no_answer};
use super::error::ControlError;
use super::protocol::{
    FAILED, PHASE, RELOAD, RELOAD_DONE, RELOAD_NOT_TAKEN, RELOAD_REASON, RELOAD_REFUSED,
    RELOAD_TOOK, Request, UNKNOWN_REQUEST,
};
use crate::deadline::Deadline;
use crate::fields::Fields;
use crate::identity::paths::Paths;
use crate::{Daemon, Instance, Phase};

/// How long a daemon may take to confirm the request. Its supervisor thread does so at once, so only a process that is
/// stopped or hung takes longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The daemon has reloaded. From [`Instance::reload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// How long the reload took. It does not include the time that an earlier reload took meanwhile.
    pub took: Duration,
}

impl Instance {
    /// Asks the daemon to reload, as `SIGHUP` does, and waits for the result. Never starts the daemon.
    ///
    /// The reload begins after this call, so the daemon sees what has changed before it. If another reload is under way,
    /// this one begins after it. If the daemon is not ready yet, it begins when it is.
    ///
    /// The call takes no longer than the [`deadline`](Self::deadline). The request remains: a daemon that needs longer
    /// still reloads.
    ///
    /// ```no_run
    /// use brokered_runtime::{ControlError, Daemon};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// # fn main() -> Result<(), ControlError> {
    /// match INDEXD.instance().reload() {
    ///     Ok(reloaded) => println!("reloaded in {:?}", reloaded.took),
    ///     Err(ControlError::ReloadRefused { reason }) => println!("still the old one: {reason}"),
    ///     // It reads its configuration when it starts.
    ///     Err(ControlError::NotRunning { .. }) => {}
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ControlError::NotRunning`] if there is no daemon.
    /// - [`ControlError::ReloadsNotTaken`] if the daemon does not take reloads.
    /// - [`ControlError::ReloadRefused`] if the daemon refused what has changed, and goes on as before.
    /// - [`ControlError::ReloadTimedOut`] if the reload has not ended at the deadline.
    /// - [`ControlError::TimedOut`] if the daemon was not ready at the deadline.
    /// - [`ControlError::Ending`] if the daemon ends instead.
    /// - [`ControlError::NoAnswer`] if the daemon does not confirm the request within two seconds.
    /// - [`ControlError::UnknownRequest`] if the daemon is older than this request.
    ///
    /// See [`ControlError`] for the others.
    pub fn reload(&self) -> Result<Reloaded, ControlError> {
        reload(self.paths()?, &Deadline::after(self.launch.deadline))
    }
}

impl Daemon {
    /// Asks the default instance to reload. See [`Instance::reload`].
    ///
    /// # Errors
    ///
    /// See [`Instance::reload`].
    pub fn reload(self) -> Result<Reloaded, ControlError> {
        self.instance().reload()
    }
}

/// Asks the daemon to reload, and waits for the result.
pub(crate) fn reload(paths: &Paths, deadline: &Deadline) -> Result<Reloaded, ControlError> {
    let answer_deadline = deadline.at_most(ANSWER_TIMEOUT);
    let mut connection = ControlConnection::request(paths, Request::Reload, &answer_deadline)?;
    let mut reply = match connection.receive_line().map_err(of_older_daemon)? {
        ReceivedLine::Line(line) => line + "\n",
        ReceivedLine::Closed | ReceivedLine::TimedOut => return Err(no_answer(paths, deadline)),
    };
    connection.set_deadline(deadline);
    loop {
        match connection.receive_line()? {
            ReceivedLine::Line(line) if line.is_empty() => return result_of(&reply),
            ReceivedLine::Line(line) => {
                reply.push_str(&line);
                reply.push('\n');
            }
            // The daemon has ended without a result.
            ReceivedLine::Closed => {
                return Err(ControlError::Ending {
                    phase: Phase::Stopped,
                    reason: None,
                });
            }
            ReceivedLine::TimedOut => return Err(timed_out(paths, &reply, deadline)),
        }
    }
}

/// The result in a complete reply: the phase at the request, then the result or the phase of a daemon that ends.
fn result_of(reply: &str) -> Result<Reloaded, ControlError> {
    let invalid = || ControlError::InvalidReply {
        reason: format!("not the result of a reload: {reply:?}"),
    };
    let fields = Fields::of(reply);
    let took = fields.number(RELOAD_TOOK).map(Duration::from_micros);
    match fields.text(RELOAD).as_deref() {
        Some(RELOAD_DONE) => Ok(Reloaded {
            took: took.ok_or_else(invalid)?,
        }),
        Some(RELOAD_REFUSED) => Err(ControlError::ReloadRefused {
            reason: fields.text(RELOAD_REASON).unwrap_or_default(),
        }),
        Some(RELOAD_NOT_TAKEN) => Err(ControlError::ReloadsNotTaken),
        Some(_) => Err(invalid()),
        None => Err(ControlError::Ending {
            phase: last_phase(reply).ok_or_else(invalid)?,
            reason: fields.text(FAILED),
        }),
    }
}

/// The error of a daemon that does not know the request.
fn of_older_daemon(error: ControlError) -> ControlError {
    match error {
        ControlError::Refused { message } if message.starts_with(UNKNOWN_REQUEST) => {
            ControlError::UnknownRequest {
                request: Request::Reload.as_line(),
                message,
            }
        }
        error => error,
    }
}

fn timed_out(paths: &Paths, reply: &str, deadline: &Deadline) -> ControlError {
    let waited = deadline.waited();
    match last_phase(reply) {
        Some(phase) if phase < Phase::Ready => ControlError::TimedOut {
            phase: Some(phase),
            progress: None,
            waited,
            obstacle: obstacle_to_readiness(paths),
        },
        _ => ControlError::ReloadTimedOut { waited },
    }
}

fn last_phase(reply: &str) -> Option<Phase> {
    let mut lines = reply.lines().rev();
    let phase = lines.find_map(|line| Fields::of(line).text(PHASE))?;
    phase.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_is_recognised() {
        let reloaded = result_of("PHASE=ready\nRELOAD=done\nRELOAD_US=1500\n");
        let took = Duration::from_micros(1500);
        assert_eq!(reloaded.expect("done"), Reloaded { took });
        let error = |reply| result_of(reply).expect_err("not done");
        assert!(matches!(
            error("PHASE=ready\nRELOAD=refused\nREASON=line 3%0Ais wrong\nRELOAD_US=1\n"),
            ControlError::ReloadRefused { reason } if reason == "line 3\nis wrong"
        ));
        assert!(matches!(
            error("PHASE=ready\nRELOAD=not taken\nRELOAD_US=1\n"),
            ControlError::ReloadsNotTaken
        ));
        assert!(matches!(
            error("PHASE=loading\nFAILED=no disk\nPHASE=failed\n"),
            ControlError::Ending { phase: Phase::Failed, reason: Some(reason) } if reason == "no disk"
        ));
        assert!(matches!(
            error("PHASE=draining\n"),
            ControlError::Ending {
                phase: Phase::Draining,
                reason: None
            }
        ));
        for reply in [
            "",
            "PHASE=ready\nRELOAD=done\n",
            "RELOAD=later\n",
            "PHASE=x\n",
        ] {
            assert!(
                matches!(error(reply), ControlError::InvalidReply { .. }),
                "{reply}"
            );
        }
    }

    #[test]
    fn a_reply_that_is_late_tells_what_the_daemon_does() {
        let deadline = Deadline::after(Duration::ZERO);
        let paths = Paths::in_directory("/nonexistent/reload".into());
        assert!(matches!(
            timed_out(&paths, "PHASE=loading\n", &deadline),
            ControlError::TimedOut {
                phase: Some(Phase::Loading),
                ..
            }
        ));
        assert!(matches!(
            timed_out(&paths, "PHASE=ready\n", &deadline),
            ControlError::ReloadTimedOut { .. }
        ));
    }
}
