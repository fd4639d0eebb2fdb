//! `brokered start`: starts a daemon by its executable.

use std::time::{Duration, Instant};

use brokered_runtime::operator::{DaemonRecord, InstanceDirectory, Launch, Started};
use serde_json::json;

use crate::arguments::{Program, Start, Target, Until};
use crate::error::{CliError, DONE, NOT_RUNNING, USAGE};
use crate::inspect::Inspected;
use crate::output::{Output, style, styled};
use crate::select;

use super::wait;

pub(crate) fn start(arguments: &Start, output: &mut Output) -> Result<u8, CliError> {
    let launch = launch_of(&arguments.target, &arguments.program)?;
    run(
        &launch,
        arguments.until == Until::Ready,
        arguments.timeout,
        output,
        "started",
    )
}

/// Starts it, waits as far as is wanted, and says so.
pub(super) fn run(
    launch: &Launch,
    ready: bool,
    timeout: Duration,
    output: &mut Output,
    verb: &str,
) -> Result<u8, CliError> {
    let deadline = Instant::now() + timeout;
    let place = launch.place().map_err(CliError::failed)?;
    let started = launch.start(timeout).map_err(CliError::failed)?;
    if ready {
        let left = deadline.saturating_duration_since(Instant::now());
        wait::until_ready(&place, left, output).map_err(|trouble| match trouble.code() {
            // It was up, and has ended since.
            NOT_RUNNING => CliError::failed(trouble),
            _ => trouble,
        })?;
    }
    say(&place, &started, output, verb)?;
    Ok(DONE)
}

fn say(
    place: &InstanceDirectory,
    started: &Started,
    output: &mut Output,
    verb: &str,
) -> Result<(), CliError> {
    let seen = Inspected::of(place.clone(), Duration::from_secs(1));
    let is_new = matches!(started, Started::Now(_));
    if output.is_json() {
        return output.json(&json!({ "started": is_new, "daemon": seen.to_json() }));
    }
    let verb = if is_new { verb } else { "runs already" };
    let phase = styled(seen.style(), seen.phase());
    let pid = seen
        .pid()
        .map_or_else(String::new, |pid| format!(", process {pid}"));
    let name = styled(style::HEAD, seen.name());
    output.line(format!("{name} {verb}: {phase}{pid}"))
}

/// How to start what is meant: with the executable that is named, or the one that is recorded.
pub(super) fn launch_of(target: &Target, program: &Program) -> Result<Launch, CliError> {
    let known = select::one(target);
    if let Err(trouble) = &known
        && trouble.code() == USAGE
    {
        return Err(known.unwrap_err());
    }
    let recorded = known.as_ref().ok().map(InstanceDirectory::recorded);
    let record = recorded.as_ref().and_then(|recorded| recorded.record());
    let launch = match record {
        Some(record) => of_story(record)?,
        None => select::launch(target)?,
    };
    with_program(launch, record, program, target)
}

pub(super) fn of_story(record: &DaemonRecord) -> Result<Launch, CliError> {
    Launch::of(record).ok_or_else(|| {
        CliError::failed(format!(
            "its record names the daemon {:?} with contract {}, which no daemon can have",
            record.name, record.contract
        ))
    })
}

pub(super) fn with_program(
    launch: Launch,
    record: Option<&DaemonRecord>,
    program: &Program,
    target: &Target,
) -> Result<Launch, CliError> {
    let log = record.and_then(|record| record.log.clone());
    let launch = launch.log(log);
    match (
        &program.program,
        record.and_then(|record| record.program.as_ref().map(|path| (record, path))),
    ) {
        (Some(path), _) => Ok(launch.program(path, &program.arguments)),
        (None, Some((record, path))) => Ok(launch.program(path, &record.arguments)),
        (None, None) => Err(CliError::new(
            USAGE,
            format!(
                "nothing tells which executable {} is: name it with --program",
                target.daemon
            ),
        )),
    }
}
