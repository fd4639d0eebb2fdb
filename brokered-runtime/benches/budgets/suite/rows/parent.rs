//! A launch from a process that has much memory: it must not be copied, nor its tables.

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
        return Err(
            format!("{free} MiB of memory are free, and this needs {LARGE_MIB} and some").into(),
        );
    }
    let mut large = Launcher::start(bench, LARGE_MIB)?;
    let mut small = Launcher::start(bench, SMALL_MIB)?;
    let rounds = bench.arguments.rounds(300);
    let pairs = Pairs::measure(rounds, || large.launch(), || small.launch())?;
    Ok(
        Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.2)).note(format!(
            "resident when they launch: {} against {} MiB",
            large.resident_mib()?,
            small.resident_mib()?
        )),
    )
}

fn available_mib() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    mib(&text, "MemAvailable:")
}

/// A figure in kB of one of the system's tables.
fn mib(text: &str, name: &str) -> Result<u64> {
    let figure = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
        .ok_or_else(|| format!("there is no {name}"))?;
    Ok(figure.parse::<u64>()? / 1024)
}

/// A client that goes on, launches when it is told to, and has that much memory. Ended when dropped.
#[derive(Debug)]
struct Launcher {
    process: Child,
    tell: ChildStdin,
    says: BufReader<ChildStdout>,
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
        let tell = process.stdin.take().ok_or("its input is not piped")?;
        let says = process.stdout.take().ok_or("its output is not piped")?;
        Ok(Self {
            process,
            tell,
            says: BufReader::new(says),
        })
    }

    /// Call → bound. The daemon is killed, and reaped by its launcher at the next launch.
    fn launch(&mut self) -> Result<f64> {
        writeln!(self.tell, "launch")?;
        let mut report = String::new();
        self.says.read_line(&mut report)?;
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
