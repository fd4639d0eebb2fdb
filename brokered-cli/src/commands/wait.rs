//! `brokered wait` and `brokered probe`: whether a daemon is ready.

use std::time::Duration;

use brokered_runtime::operator::InstanceDirectory;
use brokered_runtime::{ControlError, Phase};
use serde_json::json;

use crate::arguments::{Probe, Wait};
use crate::error::{CliError, FAILURE, NO_ANSWER, NOT_RUNNING, SUCCESS, TIMED_OUT};
use crate::inspect::{Inspection, State};
use crate::output::Output;
use crate::select;
use crate::style::{self, styled};
use crate::text::sanitize;

pub(crate) fn wait(arguments: &Wait, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_one(&arguments.target)?;
    wait_ready(&instance, arguments.timeout, output)?;
    if output.is_json() {
        output.json(&json!({ "ready": true }))?;
    } else {
        let ready = styled(style::OK, "ready");
        output.line(format!("{} is {ready}", sanitize(&arguments.target.daemon)))?;
    }
    Ok(SUCCESS)
}

/// Waits until the daemon is ready, and shows its progress meanwhile.
pub(super) fn wait_ready(
    instance: &InstanceDirectory,
    timeout: Duration,
    output: &Output,
) -> Result<(), CliError> {
    let result = instance.wait_ready(timeout, |progress| output.progress(&sanitize(progress)));
    match result {
        // A hand-written backend serves as soon as it is bound.
        Ok(()) | Err(ControlError::NoControl { .. }) => Ok(()),
        Err(error) => Err(wait_error(instance, &error)),
    }
}

fn wait_error(instance: &InstanceDirectory, error: &ControlError) -> CliError {
    let code = match error {
        ControlError::NotRunning { .. } => NOT_RUNNING,
        ControlError::NoAnswer { .. } => NO_ANSWER,
        ControlError::TimedOut { .. } => TIMED_OUT,
        _ => FAILURE,
    };
    let record = instance.read_record();
    match record.record().and_then(|record| record.failure.as_ref()) {
        Some(failure) if code == NOT_RUNNING => CliError::new(
            code,
            format!(
                "the daemon has failed: {}; its output is in {}",
                sanitize(failure),
                instance.default_log_path().display()
            ),
        ),
        _ => CliError::new(code, error),
    }
}

/// Reports by the exit code alone, unless JSON is wanted.
pub(crate) fn probe(arguments: &Probe, output: &mut Output) -> Result<u8, CliError> {
    let instance = match select::find_one(&arguments.target) {
        Err(error) if error.code() == NOT_RUNNING => {
            return finish_probe("ended", NOT_RUNNING, output);
        }
        found => found?,
    };
    let inspection = Inspection::new(instance, arguments.timeout);
    let code = match &inspection.state {
        State::Running(status) if arguments.live || status.phase == Phase::Ready => SUCCESS,
        State::Running(_) => FAILURE,
        _ => inspection.exit_code(),
    };
    finish_probe(inspection.phase(), code, output)
}

fn finish_probe(phase: &str, code: u8, output: &mut Output) -> Result<u8, CliError> {
    if output.is_json() {
        output.json(&json!({ "phase": phase, "ok": code == SUCCESS, "code": code }))?;
    }
    Ok(code)
}
