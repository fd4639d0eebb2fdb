//! `brokered trace`: starts a daemon, and shows how long each step of its start takes.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use brokered_runtime::operator::{DaemonEvent, LaunchEvent, Launcher, StartOutcome};
use brokered_runtime::{IpcStream, LoadState, Status};
use serde_json::{Value, json};

use super::{start, stop};
use crate::arguments::Trace;
use crate::duration::format_precise;
use crate::error::{CliError, SUCCESS};
use crate::output::Output;
use crate::select;
use crate::style::{self, styled};
use crate::waterfall::{Step, Waterfall};

/// How long to wait for the first reply. Many daemons reply only to a request.
const REPLY: Duration = Duration::from_secs(2);

pub(crate) fn trace(arguments: &Trace, output: &mut Output) -> Result<u8, CliError> {
    // The daemon removes its record when it is stopped, so the executable is read from it first.
    let launcher = start::find_launcher(&arguments.target, &arguments.program)?;
    if arguments.restart
        && let Ok(instance) = select::find_one(&arguments.target)
    {
        stop::stop_instance(&instance, arguments.timeout, output)?;
    }
    launch_and_show(&launcher, arguments, output)
}

fn launch_and_show(
    launcher: &Launcher,
    arguments: &Trace,
    output: &mut Output,
) -> Result<u8, CliError> {
    let instance = launcher.instance_directory().map_err(CliError::failure)?;
    let mut events = Vec::new();
    let began = SystemTime::now();
    let outcome = launcher
        .trace(arguments.timeout, |event, at| events.push((event, at)))
        .map_err(CliError::failure)?;
    let StartOutcome::Started(stream) = outcome else {
        return Err(CliError::failure(format!(
            "{} is already running, so its start cannot be traced; --restart stops it first",
            arguments.target.daemon
        )));
    };
    let reply = stream.and_then(|stream| first_reply(stream, arguments.send.as_deref()));
    let status = instance
        .status(Duration::from_secs(1))
        .map_err(CliError::failure)?;
    let waterfall = waterfall(began, &events, &status, reply);
    if let Some(path) = &arguments.svg {
        let title = format!("Start of {}", status.name);
        fs::write(path, waterfall.to_svg(&title)).map_err(|error| {
            CliError::failure(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    print(&waterfall, &status, arguments, reply.is_some(), output)?;
    Ok(SUCCESS)
}

/// The times of the request and of the first byte of its reply.
fn first_reply(mut stream: IpcStream, send: Option<&str>) -> Option<(SystemTime, SystemTime)> {
    use brokered_runtime::interprocess::local_socket::traits::Stream as _;

    let requested = SystemTime::now();
    stream.set_recv_timeout(Some(REPLY)).ok()?;
    stream.set_send_timeout(Some(REPLY)).ok()?;
    if let Some(line) = send {
        stream.write_all(format!("{line}\n").as_bytes()).ok()?;
    }
    match stream.read(&mut [0]) {
        Ok(1) => Some((requested, SystemTime::now())),
        _ => None,
    }
}

fn waterfall(
    began: SystemTime,
    events: &[(LaunchEvent, SystemTime)],
    status: &Status,
    reply: Option<(SystemTime, SystemTime)>,
) -> Waterfall {
    let at = |wanted: &LaunchEvent| {
        let mut events = events.iter();
        events.find(|(event, _)| event == wanted).map(|(_, at)| *at)
    };
    let mut waterfall = Waterfall::new(began);
    let mut step = |name: &str, from: Option<SystemTime>, to: Option<SystemTime>| {
        if let (Some(from), Some(to)) = (from, to) {
            waterfall.push(Step::new(name, from, to));
        }
    };
    let locked = at(&LaunchEvent::Locked);
    let spawned = at(&LaunchEvent::Spawned);
    let main = status.reached_at("main");
    // The new process may run before the system call that started it returns. The system also reports the start of
    // a process only to a clock tick, so that it may seem earlier than the lock.
    let process = match (main, status.premain) {
        (Some(main), Some(lived)) => main.checked_sub(lived).max(locked).min(Some(main)),
        (main, _) => spawned.into_iter().chain(main).min(),
    };
    let process_before_main = process.filter(|process| Some(*process) < main);
    step("lock", Some(began), locked);
    step("bind, hand-off, exec", locked, process);
    step("before main", process_before_main, main);
    step("connect", spawned, at(&LaunchEvent::Connected));
    step("adopt, bind", main, status.reached_at("bound"));
    step(
        "record",
        status.reached_at("bound"),
        status.reached_at("recorded"),
    );
    step(
        "control",
        status.reached_at("recorded"),
        status.reached_at("control"),
    );
    for load in &status.loads {
        let took = match &load.state {
            LoadState::Loaded { took } | LoadState::Failed { took, .. } => Some(*took),
            _ => None,
        };
        let name = format!("load {}", load.name);
        step(&name, Some(load.began), took.map(|took| load.began + took));
    }
    let reported = at(&LaunchEvent::Daemon(DaemonEvent::Ready));
    let ready = status.reached_at("ready").or(reported);
    step("ready", ready, ready);
    // The client is connected since long before. Its reply could not come before the daemon was ready.
    if let Some((requested, replied)) = reply {
        let from = ready.filter(|ready| *ready < replied);
        step("first reply", from.or(Some(requested)), Some(replied));
    }
    waterfall
}

fn print(
    waterfall: &Waterfall,
    status: &Status,
    arguments: &Trace,
    has_reply: bool,
    output: &mut Output,
) -> Result<(), CliError> {
    if output.is_json() {
        let steps = waterfall.steps().iter().map(|step| {
            json!({
                "name": step.name,
                "from_seconds": waterfall.offset(step.from).as_secs_f64(),
                "seconds": step.duration().as_secs_f64(),
            })
        });
        return output.json(&json!({
            "name": status.name,
            "pid": status.pid,
            "phase": status.phase.as_str(),
            "total_seconds": waterfall.total().as_secs_f64(),
            "steps": steps.collect::<Vec<Value>>(),
        }));
    }
    output.lines(&waterfall.to_text(Output::width()))?;
    let total = styled(style::HEADING, format_precise(waterfall.total()));
    output.line(format!(
        "{}, process {}: {total} in total",
        status.name, status.pid
    ))?;
    if !has_reply {
        let hint = if arguments.send.is_some() {
            "the daemon did not reply to the line that was sent"
        } else {
            "the daemon sent nothing without a request; --send LINE sends it one"
        };
        output.note(style::DIMMED, hint)?;
    }
    if let Some(path) = &arguments.svg {
        output.note(
            style::DIMMED,
            &format!("the drawing is in {}", path.display()),
        )?;
    }
    Ok(())
}
