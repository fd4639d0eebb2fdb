//! Daemons whose loads call daemons: themselves or each other. The instances are named, and the same executable is the
//! client.
//!
//! `CALLING_DAEMON_CALLS` holds the calls that the loads make, such as `a:spawn-ready:b:3000;b:status:a:3000`: the load
//! of the instance `a` starts the instance `b` and waits until it is ready, for at most 3000 milliseconds. A load
//! fails with the error of its call. `main` makes the calls of the instance with the suffix `-main`.
//!
//! The client makes one call: `calling-daemon spawn-ready a 3000`. It prints what came of it, and how many milliseconds
//! it took.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use brokered_runtime::{Bound, Instance, State, WaitFor, brokered_daemon};
use daemon_tests::{CALLING_DAEMON, CALLING_DAEMON_CALLS};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Called;

impl State for Called {
    type Error = Box<dyn Error + Send + Sync>;

    fn load(bound: &Bound) -> Result<Self> {
        make_calls(bound.instance().name().unwrap_or_default())?;
        Ok(Self)
    }
}

#[brokered_daemon(CALLING_DAEMON, cli = cli)]
fn main(bound: Bound, _called: Called) -> Result<()> {
    let name = bound.instance().name().unwrap_or_default().to_owned();
    let in_main = format!("{name}-main");
    let handle = bound.handle();
    std::thread::spawn(move || {
        while handle.phase() < brokered_runtime::Phase::Ready {
            std::thread::yield_now();
        }
        if let Err(error) = make_calls(&in_main) {
            eprintln!("a call failed: {error}");
        }
    });
    bound.serve(move |mut client| writeln!(client, "served by {name}"))?;
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

fn make(what: &str, to: &str, deadline: &str) -> Result<String> {
    let deadline = Duration::from_millis(deadline.parse()?);
    let instance = CALLING_DAEMON.named(to).deadline(deadline);
    match what {
        "connect" => instance.connect().map(|_| "connected".to_owned())?,
        "spawn-nothing" => return request(&instance.wait(WaitFor::Nothing), deadline),
        "spawn-bound" => instance
            .connect_or_spawn()
            .map(|_| "connected".to_owned())?,
        "request" => return request(&instance, deadline),
        "spawn-ready" => return request(&instance.wait(WaitFor::Ready), deadline),
        "wait-ready" => instance.wait_ready(|_| {}).map(|()| "ready".to_owned())?,
        "status" => instance.status()?.phase.to_string(),
        "stop" => format!("{:?}", instance.stop()?),
        other => return Err(format!("no such call: {other}").into()),
    };
    Ok(what.to_owned())
}

fn request(instance: &Instance, _deadline: Duration) -> Result<String> {
    let stream = instance.connect_or_spawn()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn cli() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, to, deadline] = &arguments[..] else {
        return Err("calling-daemon <call> <instance> <milliseconds>".into());
    };
    let began = Instant::now();
    let made = make(what, to, deadline);
    let took = began.elapsed().as_millis();
    match made {
        Ok(result) => println!("{took} {result}"),
        Err(error) => {
            println!("{took}");
            return Err(error);
        }
    }
    Ok(())
}
