//! `brokered wait` and `brokered probe`.

use std::time::Duration;

use brokered_runtime::operator::InstanceDirectory;
use brokered_runtime::{ControlError, Phase};
use serde_json::json;

use crate::arguments::{Probe, Wait};
use crate::error::{CliError, DONE, FAILED, NO_ANSWER, NOT_RUNNING, TIMED_OUT};
use crate::inspect::{Inspected, State};
use crate::output::{Output, style, styled, tame};
use crate::select;

pub(crate) fn wait(arguments: &Wait, output: &mut Output) -> Result<u8, CliError> {
    let place = select::one(&arguments.target)?;
    until_ready(&place, arguments.timeout, output)?;
    if output.is_json() {
        output.json(&json!({ "ready": true }))?;
    } else {
        let ready = styled(style::GOOD, "ready");
        output.line(format!("{} is {ready}", tame(&arguments.target.daemon)))?;
    }
    Ok(DONE)
}

/// Waits, and passes on what the daemon says of its progress.
pub(super) fn until_ready(
    place: &InstanceDirectory,
    timeout: Duration,
    output: &Output,
) -> Result<(), CliError> {
    place
        .wait_ready(timeout, |progress| output.progress(&tame(progress)))
        .or_else(|error| match error {
            // A hand-written backend serves once it is bound.
            ControlError::NoControl { .. } => Ok(()),
            error => {
                let code = match error {
                    ControlError::NotRunning { .. } => NOT_RUNNING,
                    ControlError::NoAnswer { .. } => NO_ANSWER,
                    ControlError::TimedOut { .. } => TIMED_OUT,
                    _ => FAILED,
                };
                let recorded = place.recorded();
                let failure = recorded.record().and_then(|record| record.failure.as_ref());
                Err(match failure {
                    Some(why) if code == NOT_RUNNING => CliError::new(
                        code,
                        format!(
                            "it has failed: {}; its output is in {}",
                            tame(why),
                            place.log().display()
                        ),
                    ),
                    _ => CliError::new(code, error.to_string()),
                })
            }
        })
}

/// Tells by the exit code. Words are for whoever asks for JSON.
pub(crate) fn probe(arguments: &Probe, output: &mut Output) -> Result<u8, CliError> {
    let place = match select::one(&arguments.target) {
        Err(trouble) if trouble.code() == NOT_RUNNING => {
            return told("ended", NOT_RUNNING, output);
        }
        found => found?,
    };
    let seen = Inspected::of(place, arguments.timeout);
    let code = match &seen.state {
        State::Answers(status) if arguments.live || status.phase == Phase::Ready => DONE,
        State::Answers(_) => FAILED,
        _ => seen.code(),
    };
    told(seen.phase(), code, output)
}

fn told(phase: &str, code: u8, output: &mut Output) -> Result<u8, CliError> {
    if output.is_json() {
        output.json(&json!({ "phase": phase, "ok": code == DONE, "code": code }))?;
    }
    Ok(code)
}
