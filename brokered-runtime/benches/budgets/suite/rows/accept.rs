//! Requests per second of an accept loop: connect, one byte there and back, close.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::suite::process::{Running, Starter, with_null_streams};
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, ECHO, Result};

/// The number of clients at once. Each sends one request after the other.
const CLIENTS: u32 = 8;
/// The number of requests of each client in a round.
const REQUESTS: u32 = 250;

pub(super) fn incoming(bench: &Bench) -> Result<Finding> {
    requests(bench, "incoming", "inline")
}

pub(super) fn serve(bench: &Bench) -> Result<Finding> {
    requests(bench, "serve", "threads")
}

fn requests(bench: &Bench, mode: &str, raw_mode: &str) -> Result<Finding> {
    if bench.cores < 2 {
        return Err("clients and daemon need one core each, and there is only one".into());
    }
    let starter = Starter::new()?;
    let (ours, _ours) = ours(bench, &starter, mode)?;
    let (raw, _raw) = raw(bench, &starter, raw_mode)?;
    let pairs = Pairs::measure(bench.arguments.rounds(200), || rate(&ours), || rate(&raw))?;
    Ok(
        Finding::pairs(Unit::Rate, &pairs, Budget::AtLeast(0.97)).note(format!(
            "{CLIENTS} clients at once on one core, the daemon on another, {} requests a round",
            CLIENTS * REQUESTS
        )),
    )
}

fn ours(bench: &Bench, starter: &Starter, mode: &str) -> Result<(PathBuf, Running)> {
    let runtime = bench.scratch.directory()?;
    let endpoint = bench.endpoint(ECHO, &runtime)?;
    let mut command = Command::new(bench.programs.path("echo-brokered"));
    with_null_streams(&mut command)
        .arg(mode)
        .env("BROKERED_RUNTIME_DIR", &runtime);
    let (_, running) = starter.until_connectable(command, &endpoint)?;
    Ok((endpoint, running))
}

fn raw(bench: &Bench, starter: &Starter, mode: &str) -> Result<(PathBuf, Running)> {
    let endpoint = bench.scratch.directory()?.join("socket");
    let mut command = Command::new(bench.programs.path("echo-interprocess"));
    with_null_streams(&mut command).arg(&endpoint).arg(mode);
    let (_, running) = starter.until_connectable(command, &endpoint)?;
    Ok((endpoint, running))
}

fn rate(endpoint: &Path) -> Result<f64> {
    let began = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| client(endpoint)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            client
                .join()
                .unwrap_or_else(|_| Err("a client panicked".into()))
        })
    })
    .map_err(|error| format!("{}: {error}", endpoint.display()))?;
    Ok(f64::from(CLIENTS * REQUESTS) / began.elapsed().as_secs_f64())
}

fn client(endpoint: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    for _ in 0..REQUESTS {
        let mut stream = UnixStream::connect(endpoint)?;
        stream.write_all(b"x")?;
        let mut reply = [0];
        stream.read_exact(&mut reply)?;
        if &reply != b"x" {
            return Err("the echo is another byte".into());
        }
    }
    Ok(())
}
