//! `brokered start`: starts a daemon from its executable.

use std::time::{Duration, Instant};

use brokered_runtime::operator::{DaemonRecord, InstanceDirectory, Launcher, StartOutcome};
use serde_json::json;

use crate::arguments::{Program, Start, Target, Until};
use crate::error::{CliError, NOT_RUNNING, SUCCESS, USAGE};
use crate::inspect::Inspection;
use crate::output::Output;
use crate::select;
use crate::style::{self, styled};

use super::wait;

pub(crate) fn start(arguments: &Start, output: &mut Output) -> Result<u8, CliError> {
    let launcher = find_launcher(&arguments.target, &arguments.program)?;
    start_and_report(
        &launcher,
        arguments.until,
        arguments.timeout,
        "started",
        output,
    )
}

/// Starts the daemon, waits for the phase, and prints the result.
pub(super) fn start_and_report(
    launcher: &Launcher,
    until: Until,
    timeout: Duration,
    verb: &str,
    output: &mut Output,
) -> Result<u8, CliError> {
    let deadline = Instant::now() + timeout;
    let instance = launcher.instance_directory().map_err(CliError::failure)?;
    let outcome = launcher.start(timeout).map_err(CliError::failure)?;
    if until == Until::Ready {
        let left = deadline.saturating_duration_since(Instant::now());
        wait::wait_ready(&instance, left, output).map_err(|error| match error.code() {
            // It was bound, and has ended since: its start has failed.
            NOT_RUNNING => CliError::failure(error),
            _ => error,
        })?;
    }
    report(&instance, &outcome, verb, output)?;
    Ok(SUCCESS)
}

fn report(
    instance: &InstanceDirectory,
    outcome: &StartOutcome,
    verb: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    let inspection = Inspection::new(instance.clone(), Duration::from_secs(1));
    let is_new = matches!(outcome, StartOutcome::Started(_));
    if output.is_json() {
        return output.json(&json!({ "started": is_new, "daemon": inspection.to_json() }));
    }
    let verb = if is_new { verb } else { "is already running" };
    let phase = styled(inspection.style(), inspection.phase());
    let pid = inspection
        .pid()
        .map_or_else(String::new, |pid| format!(", process {pid}"));
    let name = styled(style::HEADING, inspection.name());
    output.line(format!("{name} {verb}: {phase}{pid}"))
}

/// A launcher of the target, with the executable on the command line or in the record.
pub(super) fn find_launcher(target: &Target, program: &Program) -> Result<Launcher, CliError> {
    let record = match select::find_one(target) {
        Ok(instance) => instance.read_record(),
        Err(error) if error.code() == USAGE => return Err(error),
        Err(_) => return launcher_for(None, target, program),
    };
    launcher_for(record.record(), target, program)
}

/// A launcher with the executable on the command line or in this record.
pub(super) fn launcher_for(
    record: Option<&DaemonRecord>,
    target: &Target,
    program: &Program,
) -> Result<Launcher, CliError> {
    let mut launcher = match record {
        Some(record) => Launcher::from_record(record).map_err(|error| {
            CliError::failure(format!("the record names no valid daemon: {error}"))
        })?,
        None => select::launcher(target)?,
    };
    if let Some(path) = &program.program {
        launcher = launcher.program(path, program.arguments.iter().cloned());
    }
    if launcher.executable().is_none() {
        return Err(unknown_executable(target));
    }
    Ok(launcher)
}

/// The error if neither the command line nor a record names the executable.
pub(super) fn unknown_executable(target: &Target) -> CliError {
    let text = format!(
        "no executable of {} is recorded: name it with --program",
        target.daemon
    );
    CliError::new(USAGE, text)
}
