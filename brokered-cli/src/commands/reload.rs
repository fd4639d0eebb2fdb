//! `brokered reload`.

use brokered_runtime::ControlError;
use serde_json::json;

use crate::arguments::Reload;
use crate::duration::format_precise;
use crate::error::{
    CliError, FAILURE, NO_ANSWER, NOT_RUNNING, NOT_TAKEN, REFUSED, SUCCESS, TIMED_OUT,
};
use crate::output::Output;
use crate::select;
use crate::style::{self, styled};
use crate::text::sanitize;

pub(crate) fn reload(arguments: &Reload, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_one(&arguments.target)?;
    let name = select::name_of(&instance, &arguments.target);
    let reloaded = instance
        .reload(arguments.timeout)
        .map_err(|error| CliError::new(exit_code(&error), error))?;
    if output.is_json() {
        output.json(&json!({
            "name": name,
            "reloaded": true,
            "seconds": reloaded.took.as_secs_f64(),
        }))?;
    } else {
        let name = styled(style::HEADING, sanitize(&name));
        let took = format_precise(reloaded.took);
        output.line(format!("{name} has reloaded in {took}"))?;
    }
    Ok(SUCCESS)
}

fn exit_code(error: &ControlError) -> u8 {
    match error {
        ControlError::NotRunning { .. } => NOT_RUNNING,
        ControlError::NoAnswer { .. } => NO_ANSWER,
        ControlError::TimedOut { .. } | ControlError::ReloadTimedOut { .. } => TIMED_OUT,
        ControlError::ReloadsNotTaken | ControlError::UnknownRequest { .. } => NOT_TAKEN,
        ControlError::ReloadRefused { .. } => REFUSED,
        _ => FAILURE,
    }
}
