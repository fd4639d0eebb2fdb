//! `brokered stop` and `brokered restart`.

use std::time::Duration;

use brokered_runtime::operator::{DaemonRecord, InstanceDirectory};
use brokered_runtime::{ControlError, StopOutcome};
use serde_json::json;

use super::start;
use crate::arguments::{Restart, Stop, Target};
use crate::error::{CliError, DONE, FAILED, NO_ANSWER, TIMED_OUT};
use crate::output::{Output, style, styled, tame};
use crate::select;

pub(crate) fn stop(arguments: &Stop, output: &mut Output) -> Result<u8, CliError> {
    let place = select::one(&arguments.target)?;
    let name = name_of(&place, &arguments.target);
    let stopped = end(&place, arguments.timeout, output)?;
    if output.is_json() {
        output.json(&json!({ "name": name, "stopped": word(stopped) }))?;
    } else {
        let name = styled(style::HEAD, tame(&name));
        output.line(match stopped {
            StopOutcome::WasNotRunning => format!("{name} was not running"),
            StopOutcome::Signalled => {
                format!("{name} has ended: it did not answer, and was sent SIGTERM")
            }
            _ => format!("{name} has ended"),
        })?;
    }
    Ok(DONE)
}

pub(crate) fn restart(arguments: &Restart, output: &mut Output) -> Result<u8, CliError> {
    let place = select::one(&arguments.target)?;
    let recorded = place.recorded();
    let record = recorded.record();
    if let Some(record) = record {
        refuse_foreign_owner(record)?;
    }
    let launch = match record {
        Some(record) => start::of_story(record)?,
        None => select::launch(&arguments.target)?,
    };
    // Before anything is stopped it is certain that something can be started.
    let launch = start::with_program(launch, record, &arguments.program, &arguments.target)?;
    end(&place, arguments.timeout, output)?;
    start::run(&launch, true, arguments.timeout, output, "restarted")
}

/// Ends it, and says what keeps it meanwhile.
pub(super) fn end(
    place: &InstanceDirectory,
    timeout: Duration,
    output: &Output,
) -> Result<StopOutcome, CliError> {
    if output.is_watched()
        && let Ok(status) = place.status(timeout.min(Duration::from_secs(1)))
        && status.connections_open > 0
    {
        output.progress(&format!(
            "{} clients are served; it ends when they are, or in 10 s",
            status.connections_open
        ));
    }
    place.stop(timeout).map_err(|error| {
        let code = match error {
            ControlError::TimedOut { .. } => TIMED_OUT,
            ControlError::NoAnswer { .. } | ControlError::ProcessNotVerified { .. } => NO_ANSWER,
            _ => FAILED,
        };
        CliError::new(code, error.to_string())
    })
}

/// A service manager would not notice, or start its own at the next client.
fn refuse_foreign_owner(record: &DaemonRecord) -> Result<(), CliError> {
    match record.owner {
        "systemd" => Err(CliError::failed(format!(
            "{} was started by systemd, which is to restart it: \
             `systemctl --user restart {}.service`, or whatever its unit is called",
            record.name, record.name
        ))),
        "launchd" => Err(CliError::failed(format!(
            "{} was started by launchd, which is to restart it: `launchctl kickstart -k`",
            record.name
        ))),
        _ => Ok(()),
    }
}

/// What it is called: by its record, or, where that has gone with the daemon, by who asks.
fn name_of(place: &InstanceDirectory, target: &Target) -> String {
    match place.recorded().record() {
        Some(record) => record.name.clone(),
        None if target.daemon.contains('/') => place.name(),
        None => target.daemon.clone(),
    }
}

fn word(stopped: StopOutcome) -> &'static str {
    match stopped {
        StopOutcome::WasNotRunning => "was not running",
        StopOutcome::Signalled => "signalled",
        _ => "ended",
    }
}
