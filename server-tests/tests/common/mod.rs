//! The test support: a daemon in a runtime directory of its own, and what became of its clients.

#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "../../../daemon-tests/tests/common/portable.rs"]
mod portable;

use std::env;
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub(crate) use portable::{ChildProcess, TIMEOUT, TestResult, stderr};
use portable::{number_from_env, wait_until};

/// A client must send within this time after SIGTERM, and after the part before. The daemon waits for 200 ms.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// The runtime directory of one daemon.
pub(crate) struct Fixture(TempDir);

impl Fixture {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(root.path().join("runtime"))?;
        Ok(Self(root))
    }

    /// Starts a daemon by hand, and waits until it accepts connections.
    pub(crate) fn start(&self, program: &str) -> Result<ChildProcess, Box<dyn Error>> {
        let child = Command::new(program)
            .env("BROKERED_RUNTIME_DIR", self.0.path().join("runtime"))
            .env_remove("BROKERED_INSTANCE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let daemon = ChildProcess(child);
        wait_until("the daemon accepts connections", || {
            self.socket()
                .is_ok_and(|socket| UnixStream::connect(socket).is_ok())
        });
        Ok(daemon)
    }

    pub(crate) fn socket(&self) -> Result<PathBuf, Box<dyn Error>> {
        let mut instances = fs::read_dir(self.0.path().join("runtime"))?;
        let instance = instances.next().ok_or("no instance")??.path();
        Ok(instance.join("socket"))
    }
}

/// When the daemon received SIGTERM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<OnceLock<Instant>>);

impl Stop {
    pub(crate) fn send(&self, daemon: &ChildProcess) {
        let pid = Pid::from_raw(daemon.pid().try_into().expect("a process ID"));
        // Before the signal: the daemon cannot begin to wait earlier.
        self.0.set(Instant::now()).expect("one signal");
        kill(pid, Signal::SIGTERM).expect("kill");
    }

    /// Whether what is sent now is sent in time: soon enough after SIGTERM and after the part before.
    pub(crate) fn is_in_time(&self, before: Option<Instant>) -> bool {
        let since = self.0.get().copied().max(before);
        since.is_none_or(|since| since.elapsed() < SEND_TIMEOUT)
    }
}

/// When the clients of a round begin, and when the daemon receives SIGTERM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    begin: Instant,
    pace: Duration,
    stop: Instant,
}

impl Schedule {
    /// In the first of four rounds, the daemon receives SIGTERM while it accepts. In the others it does when half of the
    /// clients have begun: within a few milliseconds, so that many requests wait to be read, or one after the other.
    pub(crate) fn of_round(number: u32, clients: usize) -> Self {
        let now = Instant::now();
        let clients: u32 = clients.try_into().expect("a small number");
        let pace = Duration::from_micros([500, 50, 500, 2000][number as usize % 4]);
        let begin = now + Duration::from_millis(10);
        let is_first = number.is_multiple_of(4);
        Self {
            begin,
            pace,
            stop: if is_first {
                now
            } else {
                begin + pace * (clients / 2)
            },
        }
    }

    pub(crate) fn start_of(&self, client: u32) -> Instant {
        self.begin + self.pace * client
    }

    pub(crate) fn until_stop(&self) -> Duration {
        self.stop.saturating_duration_since(Instant::now())
    }
}

/// What became of the clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: usize,
    /// Why clients got no reply although they had connected, and had sent their request in time.
    pub(crate) lost: Vec<String>,
    /// How many clients sent their request too late, because the machine was busy.
    pub(crate) late: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.lost.extend(other.lost);
        self.late += other.late;
    }
}

/// What became of the clients of all rounds.
pub(crate) struct Total {
    name: String,
    rounds: u32,
    tally: Tally,
}

impl Total {
    pub(crate) fn new(program: &str) -> Result<Self, Box<dyn Error>> {
        let name = Path::new(program).file_name().ok_or("no name")?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            rounds: number_from_env("ROUNDS", 10)?,
            tally: Tally::default(),
        })
    }

    pub(crate) fn rounds(&self) -> Range<u32> {
        0..self.rounds
    }

    pub(crate) fn add(&mut self, round: u32, tally: Tally) {
        if !tally.lost.is_empty() {
            let (name, lost) = (&self.name, &tally.lost);
            println!("{name}, round {round}: {} lost: {lost:?}", lost.len());
        }
        self.tally.add(tally);
    }

    pub(crate) fn expect_none_lost(&self) {
        let Tally {
            answered,
            lost,
            late,
        } = &self.tally;
        println!(
            "{}: {} rounds, {answered} requests answered, {} lost, {late} sent too late",
            self.name,
            self.rounds,
            lost.len()
        );
        assert!(lost.is_empty(), "{} requests are lost", lost.len());
        assert!(late < answered, "the machine is too slow for this test");
    }
}

/// Waits for the end of a daemon, whose drain must not have been cut short.
pub(crate) fn expect_drained(daemon: ChildProcess) -> TestResult {
    let output = daemon.wait_with_output()?;
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(!message.contains("cut short\n"), "{message}");
    Ok(())
}

/// Whether `curl` is installed. It must be where `CI` is set.
pub(crate) fn has_curl() -> bool {
    let is_installed = Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !is_installed {
        assert!(env::var_os("CI").is_none(), "needs curl");
        eprintln!("skipped: needs curl");
    }
    is_installed
}
