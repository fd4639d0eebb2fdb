//! The hot path: the daemon already runs.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use brokered_runtime::{Instance, IpcStream};
use interprocess::local_socket::traits::Stream as _;
use interprocess::local_socket::{GenericFilePath, ToFsName as _};

use crate::suite::process::{Starter, with_null_streams};
use crate::suite::stats::median;
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, ECHO, Result, nanoseconds};

pub(super) fn round_trip(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(20_000);
    let starter = Starter::new()?;

    let mut brokered = Command::new(bench.programs.path("echo-brokered"));
    with_null_streams(&mut brokered)
        .arg("serve")
        .env("BROKERED_RUNTIME_DIR", bench.scratch.base());
    let endpoint = ECHO.instance().endpoint()?;
    let (_, _brokered) = starter.until_connectable(brokered, &endpoint)?;

    let raw_endpoint = bench.scratch.directory()?.join("socket");
    let mut raw_server = Command::new(bench.programs.path("echo-interprocess"));
    with_null_streams(&mut raw_server)
        .arg(&raw_endpoint)
        .arg("threads");
    let (_, _raw_server) = starter.until_connectable(raw_server, &raw_endpoint)?;

    // The program does not exist, so a client that finds no daemon fails instead of launching one.
    let resolved = ECHO.instance().program("/nonexistent");
    resolved.connect_or_spawn()?;

    let pairs = Pairs::measure(rounds, || ours(&resolved), || raw(&endpoint))?;
    let comparison = Pairs::measure(
        rounds / 4,
        || {
            let before = Instant::now();
            let stream = ECHO.instance().connect_or_spawn()?;
            echo(stream, before)
        },
        || raw(&raw_endpoint),
    )?;
    Ok(Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.05))
        .note(format!(
            "with the instance resolved anew each time: {}",
            Unit::Time.write(median(&comparison.ours))
        ))
        .note(format!(
            "raw client to a raw server with a thread per client: {}",
            Unit::Time.write(median(&comparison.baseline))
        )))
}

fn ours(instance: &Instance) -> Result<f64> {
    let before = Instant::now();
    let stream = instance.connect_or_spawn()?;
    echo(stream, before)
}

fn raw(endpoint: &Path) -> Result<f64> {
    let before = Instant::now();
    let stream = IpcStream::connect(endpoint.to_fs_name::<GenericFilePath>()?)?;
    echo(stream, before)
}

/// Sends one byte and receives it back. Closing the stream is not part of the time.
fn echo(mut stream: IpcStream, before: Instant) -> Result<f64> {
    stream.write_all(b"x")?;
    let mut reply = [0];
    stream.read_exact(&mut reply)?;
    let took = before.elapsed();
    if &reply == b"x" {
        Ok(nanoseconds(took))
    } else {
        Err("the echo is another byte".into())
    }
}
