//! `brokered trace`: starts a daemon, and shows what its start spent its time on.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use brokered_runtime::operator::{DaemonEvent, LaunchStep, Started};
use brokered_runtime::{IpcStream, LoadState, Status};
use serde_json::{Value, json};

use super::{start, status::said_precisely, stop};
use crate::arguments::Trace;
use crate::error::{CliError, DONE, FAILED};
use crate::output::{Output, style, styled};
use crate::select;
use crate::waterfall::{Bar, Waterfall};

/// How long a daemon may take to reply once it is ready. Many reply only when they are asked.
const REPLY: Duration = Duration::from_secs(2);

pub(crate) fn trace(arguments: &Trace, output: &mut Output) -> Result<u8, CliError> {
    if arguments.restart
        && let Ok(place) = select::one(&arguments.target)
    {
        // What is recorded goes with the daemon, so how to start it is asked first.
        let launch = start::launch_of(&arguments.target, &arguments.program)?;
        stop::end(&place, arguments.timeout, output)?;
        return launch_and_show(&launch, arguments, output);
    }
    let launch = start::launch_of(&arguments.target, &arguments.program)?;
    launch_and_show(&launch, arguments, output)
}

fn launch_and_show(
    launch: &brokered_runtime::operator::Launch,
    arguments: &Trace,
    output: &mut Output,
) -> Result<u8, CliError> {
    let place = launch.place().map_err(CliError::failed)?;
    let mut steps = Vec::new();
    let began = SystemTime::now();
    let started = launch
        .trace(arguments.timeout, &mut |step, at| steps.push((step, at)))
        .map_err(CliError::failed)?;
    let Started::Now(stream) = started else {
        let text = format!(
            "{} runs already, so there is no start to look at: --restart stops it first",
            arguments.target.daemon
        );
        return Err(CliError::new(FAILED, text));
    };
    let reply = stream.and_then(|stream| first_reply(stream, arguments.send.as_deref()));
    let status = place
        .status(Duration::from_secs(1))
        .map_err(CliError::failed)?;
    let waterfall = waterfall(began, &steps, &status, reply);
    if let Some(path) = &arguments.svg {
        let title = format!("Start of {}", status.name);
        fs::write(path, waterfall.to_svg(&title)).map_err(|error| {
            CliError::failed(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    tell(&waterfall, &status, arguments, reply.is_some(), output)?;
    Ok(DONE)
}

/// When it was asked, and when the first byte of its reply came.
fn first_reply(mut stream: IpcStream, send: Option<&str>) -> Option<(SystemTime, SystemTime)> {
    use brokered_runtime::interprocess::local_socket::traits::Stream as _;

    let asked = SystemTime::now();
    stream.set_recv_timeout(Some(REPLY)).ok()?;
    stream.set_send_timeout(Some(REPLY)).ok()?;
    if let Some(line) = send {
        stream.write_all(format!("{line}\n").as_bytes()).ok()?;
    }
    match stream.read(&mut [0]) {
        Ok(1) => Some((asked, SystemTime::now())),
        _ => None,
    }
}

fn waterfall(
    began: SystemTime,
    steps: &[(LaunchStep, SystemTime)],
    status: &Status,
    reply: Option<(SystemTime, SystemTime)>,
) -> Waterfall {
    let at = |wanted: &LaunchStep| {
        steps
            .iter()
            .find(|(step, _)| step == wanted)
            .map(|(_, at)| *at)
    };
    let mut waterfall = Waterfall::beginning(began);
    let mut bar = |name: &str, from: Option<SystemTime>, to: Option<SystemTime>| {
        if let (Some(from), Some(to)) = (from, to) {
            waterfall.push(Bar::new(name, from, to));
        }
    };
    let locked = at(&LaunchStep::Locked);
    let spawned = at(&LaunchStep::Spawned);
    let main = status.reached_at("main");
    // The system may let the new process run before it lets the call return that has started it. And it knows the
    // process's start to a clock tick only, so that it may seem to have been there before it was started.
    let process = match (main, status.premain) {
        (Some(main), Some(lived)) => main.checked_sub(lived).max(locked).min(Some(main)),
        (main, _) => spawned.into_iter().chain(main).min(),
    };
    bar("lock", Some(began), locked);
    bar("bind, hand over, exec", locked, process);
    bar(
        "before main",
        process.filter(|process| Some(*process) < main),
        main,
    );
    bar("connect", spawned, at(&LaunchStep::Connected));
    bar("adopt, bind", main, status.reached_at("bound"));
    bar(
        "record",
        status.reached_at("bound"),
        status.reached_at("recorded"),
    );
    bar(
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
        bar(&name, Some(load.began), took.map(|took| load.began + took));
    }
    let ready = status
        .reached_at("ready")
        .or(at(&LaunchStep::Event(DaemonEvent::Ready)));
    bar("ready", ready, ready);
    // A client that was queued all the while has waited since it was connected; what counts for it is when
    // its reply came.
    if let Some((asked, came)) = reply {
        bar(
            "first reply",
            ready.filter(|ready| *ready < came).or(Some(asked)),
            Some(came),
        );
    }
    waterfall
}

fn tell(
    waterfall: &Waterfall,
    status: &Status,
    arguments: &Trace,
    replied: bool,
    output: &mut Output,
) -> Result<(), CliError> {
    if output.is_json() {
        let steps = waterfall.bars().iter().map(|bar| {
            json!({
                "name": bar.name,
                "from_seconds": waterfall.since_begin(bar.from).as_secs_f64(),
                "seconds": bar.took().as_secs_f64(),
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
    let text = waterfall.to_text(Output::width());
    output.lines(&text)?;
    let total = styled(style::HEAD, said_precisely(waterfall.total()));
    let name = &status.name;
    output.line(format!("{name}, process {}: {total} in all", status.pid))?;
    if !replied {
        let hint = if arguments.send.is_some() {
            "it did not reply to what was sent"
        } else {
            "it said nothing by itself; --send LINE asks it something"
        };
        output.line(styled(style::PAST, hint))?;
    }
    if let Some(path) = &arguments.svg {
        output.line(styled(
            style::PAST,
            format!("drawn into {}", path.display()),
        ))?;
    }
    Ok(())
}
