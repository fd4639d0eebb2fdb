//! Daemons whose loads call daemons: themselves or each other. The instances are named, and the same executable is the
//! client.
//!
//! `CALLING_DAEMON_CALLS` holds the calls that the loads make, such as `a:spawn-ready:b:3000;b:status:a:3000`: the load
//! of the instance `a` starts the instance `b` and waits until it is ready, for at most 3000 milliseconds. A load
//! fails with the error of its call. Calls of `a-background` are made by a load in the background, and calls of
//! `a-handler` by the first handler of a connection.
//!
//! The client makes one call: `calling-daemon spawn-ready a 3000`. It prints what came of it.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use brokered_runtime::{Background, Bound, Instance, State, WaitFor, brokered_daemon};
use daemon_tests::{CALLING_DAEMON, CALLING_DAEMON_CALLS};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The calls of the load.
struct Called;

impl State for Called {
    type Error = Box<dyn Error + Send + Sync>;

    fn load(bound: &Bound) -> Result<Self> {
        make_calls(name_of(bound))?;
        Ok(Self)
    }
}

/// The calls of the load in the background.
struct CalledInBackground;

impl State for CalledInBackground {
    type Error = Box<dyn Error + Send + Sync>;

    fn load(bound: &Bound) -> Result<Self> {
        make_calls(&format!("{}-background", name_of(bound)))?;
        Ok(Self)
    }
}

fn name_of(bound: &Bound) -> &str {
    bound.instance().name().unwrap_or_default()
}

#[brokered_daemon(CALLING_DAEMON, cli = cli)]
fn main(bound: Bound, _called: Called, _background: Background<CalledInBackground>) -> Result<()> {
    let name = name_of(&bound).to_owned();
    let handler = format!("{name}-handler");
    let was_called = AtomicBool::new(false);
    bound.serve(move |mut client| {
        // A call of the daemon to itself is a connection, too.
        if !was_called.swap(true, Ordering::Relaxed)
            && let Err(error) = make_calls(&handler)
        {
            return writeln!(client, "{error}");
        }
        writeln!(client, "served by {name}")
    })?;
    Ok(())
}

fn make_calls(from: &str) -> Result<()> {
    let calls = env::var(CALLING_DAEMON_CALLS).unwrap_or_default();
    for call in calls.split(';') {
        if let [caller, what, to, deadline] = call.split(':').collect::<Vec<_>>()[..]
            && caller == from
        {
            println!("{from}: {what} {to}: {}", make(what, to, deadline)?);
        }
    }
    Ok(())
}

fn make(what: &str, to: &str, milliseconds: &str) -> Result<String> {
    let deadline = Duration::from_millis(milliseconds.parse()?);
    let instance = CALLING_DAEMON.named(to).deadline(deadline);
    Ok(match what {
        "connect" => instance.connect().map(|_| "connected".to_owned())?,
        "spawn-nothing" => {
            let stream = instance.wait(WaitFor::Nothing).connect_or_spawn()?;
            drop(stream);
            "connected".to_owned()
        }
        "spawn-bound" => {
            let stream = instance.connect_or_spawn()?;
            drop(stream);
            "connected".to_owned()
        }
        "spawn-ready" => request(&instance.wait(WaitFor::Ready))?,
        "request" => request(&instance)?,
        "wait-ready" => instance.wait_ready(|_| {}).map(|()| "ready".to_owned())?,
        "status" => instance.status()?.phase.to_string(),
        "stop" => format!("{:?}", instance.stop()?),
        // A load that never ends.
        "block" => loop {
            thread::park();
        },
        other => return Err(format!("no such call: {other}").into()),
    })
}

/// The line that the daemon sends.
fn request(instance: &Instance) -> Result<String> {
    let stream = instance.connect_or_spawn()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn cli() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, to, milliseconds] = &arguments[..] else {
        return Err("calling-daemon <call> <instance> <milliseconds>".into());
    };
    println!("{}", make(what, to, milliseconds)?);
    Ok(())
}
