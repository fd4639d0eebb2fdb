//! The control endpoint, while every worker of the daemon waits for a client that sends nothing.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use brokered_runtime::Instance;
use interprocess::local_socket::traits::Stream as _;
use interprocess::local_socket::{GenericFilePath, ToFsName as _};

use crate::suite::process::{Starter, TIMEOUT, with_null_streams};
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, ECHO, Result, nanoseconds};

/// The default number of workers of `serve`.
const WORKERS: usize = 256;

pub(super) fn status(bench: &Bench) -> Result<Finding> {
    let starter = Starter::new()?;
    let mut brokered = Command::new(bench.programs.path("echo-brokered"));
    with_null_streams(&mut brokered)
        .arg("serve")
        .env("BROKERED_RUNTIME_DIR", bench.scratch.base());
    let endpoint = ECHO.instance().endpoint()?;
    let (_, _brokered) = starter.until_connectable(brokered, &endpoint)?;
    let instance = ECHO.instance();
    let _busy = keep_busy(&instance, &endpoint)?;

    let raw_endpoint = bench.scratch.directory()?.join("socket");
    let mut raw_server = Command::new(bench.programs.path("echo-interprocess"));
    with_null_streams(&mut raw_server)
        .arg(&raw_endpoint)
        .arg("threads");
    let (_, _raw_server) = starter.until_connectable(raw_server, &raw_endpoint)?;

    let pairs = Pairs::measure(
        bench.arguments.rounds(5_000),
        || {
            let before = Instant::now();
            instance.status()?;
            Ok(nanoseconds(before.elapsed()))
        },
        || raw(&raw_endpoint),
    )?;
    Ok(Finding::pairs(Unit::Time, &pairs, Budget::AtMost(3.0))
        .note(format!("{WORKERS} open connections, each with a worker")))
}

/// Opens connections that send nothing, and waits until each has a worker.
fn keep_busy(instance: &Instance, endpoint: &Path) -> Result<Vec<UnixStream>> {
    let held = (0..WORKERS)
        .map(|_| UnixStream::connect(endpoint))
        .collect::<std::io::Result<Vec<_>>>()?;
    let deadline = Instant::now() + TIMEOUT;
    while instance.status()?.connections_open < WORKERS as u64 {
        if Instant::now() > deadline {
            return Err(format!("not all workers are busy after {TIMEOUT:?}").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(held)
}

fn raw(endpoint: &Path) -> Result<f64> {
    let before = Instant::now();
    let mut stream =
        brokered_runtime::IpcStream::connect(endpoint.to_fs_name::<GenericFilePath>()?)?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])?;
    Ok(nanoseconds(before.elapsed()))
}
