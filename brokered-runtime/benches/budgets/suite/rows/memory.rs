//! Resident memory of an idle daemon after one request.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::suite::process::{Starter, TIMEOUT, with_null_streams};
use crate::suite::stats::median;
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, HELLO, Result};

pub(super) fn idle(bench: &Bench) -> Result<Finding> {
    if !Path::new("/proc/self/smaps_rollup").exists() {
        return Err("this system has no /proc/PID/smaps_rollup".into());
    }
    let starter = Starter::new()?;
    let mut private = Vec::new();
    let ours = || {
        let runtime = bench.scratch.directory()?;
        let endpoint = bench.endpoint(HELLO, &runtime)?;
        let mut command = Command::new(bench.programs.path("hello-brokered"));
        with_null_streams(&mut command).env("BROKERED_RUNTIME_DIR", &runtime);
        let settled = settled_memory(&starter, command, &endpoint)?;
        private.push(settled.private);
        Ok(settled.resident)
    };
    let mut baseline_private = Vec::new();
    let by_hand = || {
        let endpoint = bench.scratch.directory()?.join("socket");
        let mut command = Command::new(bench.programs.path("hello-std"));
        with_null_streams(&mut command).arg(&endpoint);
        let settled = settled_memory(&starter, command, &endpoint)?;
        baseline_private.push(settled.private);
        Ok(settled.resident)
    };
    let pairs = Pairs::measure(bench.arguments.rounds(20), ours, by_hand)?;
    Ok(
        Finding::pairs(Unit::Memory, &pairs, Budget::AtMost(1.5)).note(format!(
            "private memory: {} (ours), {} (std, which replies in its accept loop)",
            Unit::Memory.write(median(&private)),
            Unit::Memory.write(median(&baseline_private))
        )),
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Memory {
    resident: f64,
    private: f64,
}

/// The memory after one request, once it no longer changes.
fn settled_memory(starter: &Starter, command: Command, endpoint: &Path) -> Result<Memory> {
    let (_, running) = starter.until_connectable(command, endpoint)?;
    UnixStream::connect(endpoint)?.read_to_end(&mut Vec::new())?;
    let deadline = Instant::now() + TIMEOUT;
    let mut last = memory_of(running.id())?;
    let mut unchanged = 0;
    while unchanged < 20 {
        if Instant::now() > deadline {
            return Err(format!("the memory still changes, {TIMEOUT:?} after the request").into());
        }
        thread::sleep(Duration::from_millis(2));
        let now = memory_of(running.id())?;
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

fn memory_of(id: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let field = |name: &str| -> Result<f64> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|value| value.trim().strip_suffix(" kB"));
        Ok(kib
            .ok_or_else(|| format!("/proc/{id}/smaps_rollup has no {name}"))?
            .parse()?)
    };
    Ok(Memory {
        resident: field("Rss")?,
        private: field("Private_Clean")? + field("Private_Dirty")?,
    })
}
