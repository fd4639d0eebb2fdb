//! Cold clients: no daemon runs yet. Most run in their own process.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use brokered_runtime::WaitFor;

use crate::suite::process::{Running, TIMEOUT, kill_and_wait, with_null_streams};
use crate::suite::scratch::private_directory;
use crate::suite::stats::{median, quantile};
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, HELLO, Result, nanoseconds};

/// The times of one cold client from its call, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct ClientTimes {
    connected: f64,
    replied: f64,
}

pub(super) fn connect(bench: &Bench) -> Result<Finding> {
    let c = bench.programs.c()?;
    let rounds = bench.arguments.rounds(500);
    let hello = bench.programs.path("hello-brokered");
    let mut ours_replied = Vec::new();
    let ours = || {
        let times = launch(bench, "nothing", &hello)?;
        ours_replied.push(times.replied);
        Ok(times.connected)
    };
    let mut c_replied = Vec::new();
    let by_hand = || {
        let times = spin(bench, c)?;
        c_replied.push(times.replied);
        Ok(times.connected)
    };
    // The baseline spawns from a long-running process, so ours is measured in one, too.
    let pairs = Pairs::measure(
        rounds,
        || launch_from_here(&hello),
        || spin_from_here(bench, c),
    )?;
    let fresh = Pairs::measure(rounds / 2, ours, by_hand)?;
    Ok(Finding::pairs(Unit::Time, &pairs, Budget::AtMost(0.65))
        .note(format!(
            "from a new process, first reply after {} (ours), {} (static C)",
            Unit::Time.write(median(&ours_replied)),
            Unit::Time.write(median(&c_replied)),
        ))
        .note(format!(
            "from a new process, on both sides: {} compared with {}, {}",
            Unit::Time.write(median(&fresh.ours)),
            Unit::Time.write(median(&fresh.baseline)),
            fresh.ratio(),
        )))
}

/// Call → connected stream, in this process, whose code and data are in memory.
fn launch_from_here(program: &Path) -> Result<f64> {
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    // Each round has a new instance, as the rounds in other processes have a new runtime directory.
    let name = format!("round {}", ROUND.fetch_add(1, Ordering::Relaxed));
    // The instance directory exists, as the baseline's directory does.
    let endpoint = HELLO.named(&name).endpoint()?;
    private_directory(endpoint.parent().ok_or("the endpoint has no directory")?)?;
    let called = Instant::now();
    let instance = HELLO.named(name).program(program).wait(WaitFor::Nothing);
    let mut stream = instance.connect_or_spawn()?;
    let connected = called.elapsed();
    stream.read_exact(&mut [0; 6])?;
    kill_and_wait(recorded_pid(
        &instance.endpoint()?.with_file_name("record"),
    )?)?;
    Ok(nanoseconds(connected))
}

/// The same by hand.
fn spin_from_here(bench: &Bench, program: &Path) -> Result<f64> {
    let endpoint = bench.scratch.directory()?.join("socket");
    let mut command = Command::new(program);
    with_null_streams(&mut command).arg(&endpoint);
    let called = Instant::now();
    let _running = Running::start(&mut command)?;
    let deadline = called + TIMEOUT;
    while let Err(error) = UnixStream::connect(&endpoint) {
        if Instant::now() > deadline {
            return Err(error.into());
        }
        thread::yield_now();
    }
    Ok(nanoseconds(called.elapsed()))
}

pub(super) fn reply(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(500);
    let (hello, by_hand) = (
        bench.programs.path("hello-brokered"),
        bench.programs.path("hello-std"),
    );
    let mut bound = Vec::new();
    let ours = || {
        let times = launch(bench, "bound", &hello)?;
        bound.push(times.connected);
        Ok(times.replied)
    };
    let mut connected = Vec::new();
    let baseline = || {
        let times = spin(bench, &by_hand)?;
        connected.push(times.connected);
        Ok(times.replied)
    };
    let pairs = Pairs::measure(rounds, ours, baseline)?;
    Ok(Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.15)).note(format!(
        "BOUND after {} (ours), connected after {} (std); the std daemon replies in its accept loop",
        Unit::Time.write(median(&bound)),
        Unit::Time.write(median(&connected)),
    )))
}

pub(super) fn bound(bench: &Bench) -> Result<Finding> {
    const PROBE_TIMEOUT: f64 = 500e6;
    let rounds = bench.arguments.rounds(1000);
    let hello = bench.programs.path("hello-brokered");
    let mut bound = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        bound.push(launch(bench, "bound", &hello)?.connected);
    }
    let p99 = quantile(&bound, 0.99);
    Ok(
        Finding::fixed(Unit::Time, p99, PROBE_TIMEOUT, Budget::AtMost(0.1), rounds).note(format!(
            "median {}, slowest {}; the launcher's part before the spawn is included",
            Unit::Time.write(median(&bound)),
            Unit::Time.write(quantile(&bound, 1.0)),
        )),
    )
}

/// Reported without a budget, because the other processes determine the time.
pub(super) fn bound_under_load(bench: &Bench) -> Result<Finding> {
    const BUSY: usize = 200;
    let rounds = bench.arguments.rounds(60);
    let hello = bench.programs.path("hello-brokered");
    let mut busy = Vec::new();
    for _ in 0..BUSY {
        let mut process = Command::new("sh");
        busy.push(Running::start(with_null_streams(
            process.args(["-c", "while :; do :; done"]),
        ))?);
    }
    let bound: Vec<f64> = (0..rounds)
        .map(|_| Ok(launch(bench, "bound", &hello)?.connected))
        .collect::<Result<_>>()?;
    drop(busy);
    let time = |q| Unit::Time.write(quantile(&bound, q));
    Ok(Finding::counts(
        format!(
            "median {}, p99 {}, slowest {}",
            time(0.5),
            time(0.99),
            time(1.0)
        ),
        "500 ms".to_owned(),
        "reported",
        true,
        rounds,
    ))
}

pub(super) fn size(bench: &Bench) -> Result<Finding> {
    const MB: u64 = 1_000_000;
    let rounds = bench.arguments.rounds(300);
    let hello = bench.programs.path("hello-brokered");
    let small = Padded::new(&hello, MB)?;
    let large = Padded::new(&hello, 100 * MB)?;
    let pairs = Pairs::measure(
        rounds,
        || Ok(launch(bench, "bound", &large.path)?.connected),
        || Ok(launch(bench, "bound", &small.path)?.connected),
    )?;
    Ok(
        Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.1)).note(format!(
            "{} compared with {} bytes",
            large.length, small.length
        )),
    )
}

/// A copy of an executable, padded to a size. It is removed when this is dropped.
#[derive(Debug)]
struct Padded {
    path: PathBuf,
    length: u64,
}

impl Padded {
    /// The copy is never shorter than the executable.
    fn new(program: &Path, wanted: u64) -> Result<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hello-{wanted}"));
        let copied = fs::copy(program, &path)?;
        let mut padded = Self {
            path,
            length: copied,
        };
        let mut file = OpenOptions::new().append(true).open(&padded.path)?;
        let padding = [0xA5; 1 << 13];
        while padded.length < wanted {
            let part = usize::try_from(wanted - padded.length)?.min(padding.len());
            file.write_all(&padding[..part])?;
            padded.length += u64::try_from(part)?;
        }
        Ok(padded)
    }
}

impl Drop for Padded {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A client that calls `connect_or_spawn`.
fn launch(bench: &Bench, wait: &str, program: &Path) -> Result<ClientTimes> {
    let runtime = bench.scratch.directory()?;
    let arguments = [OsStr::new("launch"), OsStr::new(wait), program.as_os_str()];
    let (times, _) = client(bench, &runtime, &arguments)?;
    let record = bench.endpoint(HELLO, &runtime)?.with_file_name("record");
    kill_and_wait(recorded_pid(&record)?)?;
    Ok(times)
}

/// A client that spawns a handwritten daemon, and tries to connect until that succeeds.
fn spin(bench: &Bench, program: &Path) -> Result<ClientTimes> {
    let runtime = bench.scratch.directory()?;
    let endpoint = runtime.join("socket");
    let arguments = [
        OsStr::new("spin"),
        endpoint.as_os_str(),
        program.as_os_str(),
    ];
    let (times, daemon) = client(bench, &runtime, &arguments)?;
    kill_and_wait(daemon.ok_or("the client's report has no PID of its daemon")?)?;
    Ok(times)
}

fn client(
    bench: &Bench,
    runtime: &Path,
    arguments: &[&OsStr],
) -> Result<(ClientTimes, Option<u32>)> {
    let mut command = Command::new(bench.programs.path("cold-client"));
    let output = command
        .args(arguments)
        .env("BROKERED_RUNTIME_DIR", runtime)
        .output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the client failed, {}: {}", output.status, stderr.trim()).into());
    }
    let report = String::from_utf8(output.stdout)?;
    let mut fields = report.split_whitespace();
    let mut next = || {
        fields
            .next()
            .ok_or_else(|| format!("the client's report is incomplete: {report:?}"))
    };
    let times = ClientTimes {
        connected: next()?.parse()?,
        replied: next()?.parse()?,
    };
    Ok((times, next()?.parse().ok()))
}

/// The PID in the record.
pub(super) fn recorded_pid(record: &Path) -> Result<u32> {
    let text =
        fs::read_to_string(record).map_err(|error| format!("{}: {error}", record.display()))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("PID="));
    let pid = pid.ok_or_else(|| format!("{} has no PID", record.display()))?;
    Ok(pid.trim().parse()?)
}
