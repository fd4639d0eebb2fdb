//! `brokered stop` and `brokered restart`.

use std::time::Duration;

use brokered_runtime::operator::{DaemonRecord, InstanceDirectory};
use brokered_runtime::{ControlError, StopOutcome};
use serde_json::json;

use super::start;
use crate::arguments::{Restart, Stop, Until};
use crate::error::{CliError, FAILURE, NO_ANSWER, SUCCESS, TIMED_OUT};
use crate::hints::CAN_KILL;
use crate::output::Output;
use crate::select;
use crate::style::{self, styled};
use crate::text::sanitize;

pub(crate) fn stop(arguments: &Stop, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_one(&arguments.target)?;
    let name = select::name_of(&instance, &arguments.target);
    let outcome = stop_or_kill(&instance, arguments.timeout, arguments.kill, output)?;
    if output.is_json() {
        output.json(&json!({ "name": name, "stopped": outcome_as_str(outcome) }))?;
    } else {
        let name = styled(style::HEADING, sanitize(&name));
        output.line(match outcome {
            StopOutcome::WasNotRunning => format!("{name} was not running"),
            StopOutcome::Signalled => {
                format!("{name} has ended: it did not answer, so it was sent SIGTERM")
            }
            StopOutcome::Killed => {
                format!("{name} did not end, so its process was ended with SIGKILL")
            }
            _ => format!("{name} has ended"),
        })?;
    }
    Ok(SUCCESS)
}

pub(crate) fn restart(arguments: &Restart, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_one(&arguments.target)?;
    let record = instance.read_record();
    let record = record.record();
    if let Some(record) = record {
        refuse_service_manager(record)?;
    }
    // This fails before the daemon is stopped, if it could not be started again.
    let launcher = start::launcher_for(record, &arguments.target, &arguments.program)?;
    let timeout = arguments.timeout;
    stop_or_kill(&instance, timeout, arguments.kill, output)?;
    start::start_and_report(&launcher, Until::Ready, timeout, "restarted", output)
}

/// How long a process may take to end after it was killed. One that waits for a disk may take longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Stops the daemon. If it has not ended then, ends its process, or says that `--kill` does.
fn stop_or_kill(
    instance: &InstanceDirectory,
    timeout: Duration,
    kill: bool,
    output: &Output,
) -> Result<StopOutcome, CliError> {
    let error = match show_and_stop(instance, timeout, output) {
        Ok(outcome) => return Ok(outcome),
        Err(error) => error,
    };
    // A process that is not verified gets no signal.
    let can_be_killed = CAN_KILL && !matches!(error, ControlError::ProcessNotVerified { .. });
    let error = stop_error(error);
    if !matches!(error.code(), TIMED_OUT | NO_ANSWER) {
        return Err(error);
    }
    if kill {
        let killed = instance.kill(KILL_TIMEOUT);
        return killed.map_err(|error| CliError::new(NO_ANSWER, error));
    }
    if can_be_killed {
        let text = format!("{error}; `--kill` ends its process at once; its clients get no reply");
        return Err(CliError::new(error.code(), text));
    }
    Err(error)
}

/// Stops the daemon. Shows the open connections that it still serves.
pub(super) fn stop_instance(
    instance: &InstanceDirectory,
    timeout: Duration,
    output: &Output,
) -> Result<StopOutcome, CliError> {
    show_and_stop(instance, timeout, output).map_err(stop_error)
}

fn show_and_stop(
    instance: &InstanceDirectory,
    timeout: Duration,
    output: &Output,
) -> Result<StopOutcome, ControlError> {
    if output.shows_progress()
        && let Ok(status) = instance.status(timeout.min(Duration::from_secs(1)))
        && status.connections_open > 0
    {
        output.progress(&format!(
            "{} open connections: the daemon ends when they have ended, or after 10 s",
            status.connections_open
        ));
    }
    instance.stop(timeout)
}

fn stop_error(error: ControlError) -> CliError {
    let code = match error {
        ControlError::TimedOut { .. } => TIMED_OUT,
        ControlError::NoAnswer { .. } | ControlError::ProcessNotVerified { .. } => NO_ANSWER,
        _ => FAILURE,
    };
    CliError::new(code, error)
}

/// A service manager would not know of the new process, and would start its own for the next client.
fn refuse_service_manager(record: &DaemonRecord) -> Result<(), CliError> {
    let name = &record.name;
    let command = match record.owner {
        "systemd" => format!("`systemctl --user restart {name}.service`, or the name of its unit"),
        "launchd" => "`launchctl kickstart -k` with the label of its job".to_owned(),
        _ => return Ok(()),
    };
    Err(CliError::failure(format!(
        "{name} was started by {}; restart it with {command}",
        record.owner
    )))
}

fn outcome_as_str(outcome: StopOutcome) -> &'static str {
    match outcome {
        StopOutcome::WasNotRunning => "was not running",
        StopOutcome::Signalled => "signalled",
        StopOutcome::Killed => "killed",
        _ => "ended",
    }
}
