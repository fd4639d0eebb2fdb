//! A launch from a process with much memory. Neither the memory nor its page tables must be copied.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, Result};

const LARGE_MIB: u64 = 4096;
const SMALL_MIB: u64 = 1;

pub(super) fn large(bench: &Bench) -> Result<Finding> {
    let free = available_mib()?;
    if free < LARGE_MIB + 1024 {
        return Err(format!(
            "only {free} MiB of memory are available, and this needs {LARGE_MIB} + 1024"
        )
        .into());
    }
    let mut large = Launcher::start(bench, LARGE_MIB)?;
    let mut small = Launcher::start(bench, SMALL_MIB)?;
    let rounds = bench.arguments.rounds(300);
    let pairs = Pairs::measure(rounds, || large.launch(), || small.launch())?;
    Ok(
        Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.2)).note(format!(
            "resident memory of the launchers: {} compared with {} MiB",
            large.resident_mib()?,
            small.resident_mib()?
        )),
    )
}

fn available_mib() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    mib(&text, "MemAvailable:")
}

/// A value in kB in a file of `/proc`, converted to MiB.
fn mib(text: &str, name: &str) -> Result<u64> {
    let figure = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
        .ok_or_else(|| format!("no {name} in the file"))?;
    Ok(figure.parse::<u64>()? / 1024)
}

/// A long-running client with much memory, which launches a daemon on command. It is killed when this is dropped.
#[derive(Debug)]
struct Launcher {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Launcher {
    fn start(bench: &Bench, mib: u64) -> Result<Self> {
        let mut process = Command::new(bench.programs.path("cold-client"))
            .arg("repeat")
            .arg(mib.to_string())
            .arg(bench.programs.path("echo-brokered"))
            .env("BROKERED_RUNTIME_DIR", bench.scratch.directory()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("its input is not piped")?;
        let output = process.stdout.take().ok_or("its output is not piped")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    /// Call → bound. Then the daemon is killed; its launcher reaps it at the next launch.
    fn launch(&mut self) -> Result<f64> {
        writeln!(self.input, "launch")?;
        let mut report = String::new();
        self.output.read_line(&mut report)?;
        let (took, daemon) = report
            .trim_end()
            .split_once(' ')
            .ok_or("the launcher has ended")?;
        kill(Pid::from_raw(daemon.parse()?), Signal::SIGKILL)?;
        Ok(took.parse()?)
    }

    fn resident_mib(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        mib(&text, "VmRSS:")
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
