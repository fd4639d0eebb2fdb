//! What a daemon keeps of whoever happened to start it, and what its own children keep of it: nothing.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{
    Outcome, Place, Running, SUBJECT, Signal, eventually, has, make_fifo, signal_process, stderr,
    stdout,
};

/// A parent as bad as they come: 200 descriptors that it meant for nobody, a lock on one, ignored and blocked signals,
/// and a pipe that it reads to its end. It notes what whoever it starts would have of it, then starts the client.
const PARENT: &str = r#"
import os, signal, subprocess, sys
place, *ask = sys.argv[1:]
held = os.open(place + "/flock", os.O_CREAT | os.O_RDWR, 0o600)
os.dup2(held, 9, inheritable=True)
for _ in range(200):
    os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)
subprocess.run(["flock", "--nonblock", "9"], check=True, close_fds=False)
for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD})
def start(*command):
    started = subprocess.run(
        command, close_fds=False, restore_signals=False, stdout=subprocess.PIPE, check=True)
    return started.stdout
with open(place + "/before", "wb") as before:
    before.write(start("ls", "-l", "/proc/self/fd"))
    before.write(start("cat", "/proc/self/status", "/proc/self/stat"))
    before.write(start("env"))
with open(place + "/self", "wb") as report:
    report.write(start(*ask))
"#;

/// A rule that wants make's job server.
const MAKEFILE: &str = "all:\n\t+@python3 $(PARENT) $(PLACE) $(ASK)\n";

#[test]
fn a_daemon_that_make_starts_for_the_worst_of_parents_keeps_nothing_of_it() -> Outcome {
    if !has(&["flock", "make", "python3", "script"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let (parent, makefile) = (
        place.path().join("parent.py"),
        place.path().join("makefile"),
    );
    fs::write(&parent, PARENT)?;
    fs::write(&makefile, MAKEFILE)?;
    let ask = place.ask_command("self");
    let words: Vec<_> = std::iter::once(ask.get_program())
        .chain(ask.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    let mut command = place.command("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!("make -j4 -f {}", makefile.display()))
        .arg("/dev/null")
        .env("ASK", words.join(" "))
        .env("PARENT", &parent)
        .env("PLACE", place.path())
        .env_remove("BROKERED_INSTANCE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // The parent reads its pipe to the end, which comes: the daemon has not kept it.
    let output = Running(command.spawn()?).end()?;
    assert!(output.status.success(), "{}", stdout(&output));

    let before = fs::read_to_string(place.path().join("before"))?;
    let of_before = Process::of(&before)?;
    assert!(before.matches("/dev/null").count() >= 200, "{before}");
    assert!(
        before.contains(" 9 -> ") && before.contains("/flock\n"),
        "{before}"
    );
    assert!(
        before.matches("pipe:").count() >= 3,
        "make's job server: {before}"
    );
    assert!(before.contains("--jobserver-auth="), "{before}");
    assert!(of_before.ignores(&[1, 2, 3, 10, 15]), "{before}");
    assert!(of_before.blocks(12), "{before}");
    assert_ne!(of_before.terminal, 0, "{before}");

    let report = fs::read_to_string(place.path().join("self"))?;
    let daemon = Process::of(&report)?;
    assert!(
        daemon.ignores(&[13]) && daemon.ignored & !((1 << 12) | C_LIBRARY) == 0,
        "{report}"
    );
    assert_eq!(daemon.blocked, 0, "{report}");
    assert_eq!(daemon.terminal, 0, "{report}");
    for theirs in ["flock", "pipe:", "/dev/tty", "/dev/pts", "/dev/ptmx"] {
        assert!(!report.contains(theirs), "{theirs}: {report}");
    }
    let null = report.matches("/dev/null").count();
    assert_eq!(null, 1, "its own standard input: {report}");
    let descriptors = report
        .lines()
        .filter(|line| line.starts_with("fd "))
        .count();
    assert!(descriptors < 20, "{report}");

    // The terminal is gone, and so is the lock; the daemon is neither.
    assert!(
        fs::File::open(place.path().join("flock"))?
            .try_lock()
            .is_ok()
    );
    let pid = place.ask("pid")?;
    assert!(report.contains(&format!("\nPid:\t{pid}\n")), "{report}");

    // Nor do its children get any of that, or of what is ours.
    let mut children = String::new();
    std::io::Read::read_to_string(&mut place.say("children")?, &mut children)?;
    for variable in [
        "BROKERED_LAUNCH",
        "BROKERED_ROLE",
        "BROKERED_INSTANCE",
        "MAKEFLAGS",
        "MFLAGS",
        "CARGO_MAKEFLAGS",
    ] {
        let set = format!("{variable}=");
        assert!(
            !children.lines().any(|line| line.starts_with(&set)),
            "{variable}: {children}"
        );
    }
    let opened: Vec<&str> = children
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .map(|(_, target)| target)
        .collect();
    assert!(
        opened.iter().all(|target| {
            *target == "/dev/null" || target.starts_with("pipe:") || target.starts_with("/proc/")
        }),
        "{opened:?}"
    );
    assert_eq!(
        opened.len(),
        4,
        "three, and the directory that ls reads: {opened:?}"
    );
    Ok(())
}

/// Signals 32 and 33 are the C library's: nobody else can say what they do.
const C_LIBRARY: u64 = (1 << 31) | (1 << 32);

/// What a report says of a process's signals and terminal.
struct Process {
    ignored: u64,
    blocked: u64,
    terminal: u64,
}

impl Process {
    fn of(report: &str) -> Result<Self, Box<dyn Error>> {
        let mask = |name: &str| -> Result<u64, Box<dyn Error>> {
            let mask = report.lines().find_map(|line| line.strip_prefix(name));
            Ok(u64::from_str_radix(mask.ok_or("no mask")?.trim(), 16)?)
        };
        // The seventh field of `/proc/self/stat`; the second is a name in parentheses.
        let stat = report
            .lines()
            .find(|line| line.contains(") ") && line.split(' ').count() > 40)
            .and_then(|line| line.rsplit_once(") "))
            .ok_or("no stat")?;
        Ok(Self {
            ignored: mask("SigIgn:")?,
            blocked: mask("SigBlk:")?,
            terminal: stat.1.split(' ').nth(4).ok_or("no terminal")?.parse()?,
        })
    }

    fn ignores(&self, signals: &[u32]) -> bool {
        signals
            .iter()
            .all(|signal| self.ignored & (1 << (signal - 1)) != 0)
    }

    fn blocks(&self, signal: u32) -> bool {
        self.blocked & (1 << (signal - 1)) != 0
    }
}

#[test]
fn a_child_that_is_forked_without_exec_hides_no_daemons_death() -> Outcome {
    if !has(&["cc"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let forker = preloaded(&place)?;
    let (fifo, told) = (place.path().join("load"), place.path().join("child"));
    make_fifo(&fifo)?;
    let mut command = place.ask_command("pid");
    let client = command
        .env("LD_PRELOAD", &forker)
        .env(daemon_tests::LOAD_FORKS, &told)
        .env(daemon_tests::LOAD_FROM, &fifo)
        .env("ASK_WAIT", "ready")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let client = Running(client.spawn()?);
    let load = fs::OpenOptions::new().write(true).open(&fifo)?;
    let daemon: u32 = place.recorded("PID")?.parse()?;
    let child: u32 = fs::read_to_string(&told)?.parse()?;
    let child = Forked::of(daemon, child)?;
    signal_process(daemon, Signal::SIGKILL);
    // Whoever started it hears of its death, the lock is free, and nobody listens in its place.
    let output = client.end()?;
    assert!(stderr(&output).contains("signal: 9"), "{}", stderr(&output));
    eventually("the lock is free", || place.is_free().unwrap_or(false));
    drop(load);
    assert_eq!(place.ask("pid")?, place.recorded("PID")?);
    assert!(child.lives(), "it was there all the time");
    Ok(())
}

/// `fork.c`, to be preloaded.
fn preloaded(place: &Place) -> Result<PathBuf, Box<dyn Error>> {
    let library = place.path().join("fork.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fork.c"))
        .output()?;
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    Ok(library)
}

/// A child of a daemon, which outlives it. Killed when this is dropped.
struct Forked(u32);

impl Forked {
    /// Nobody else's: the daemon is its parent, and runs the same executable.
    fn of(daemon: u32, child: u32) -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{child}/status"))?;
        assert!(status.contains(&format!("\nPPid:\t{daemon}\n")), "{status}");
        let forked = Self(child);
        assert!(forked.lives());
        Ok(forked)
    }

    fn lives(&self) -> bool {
        fs::read_link(format!("/proc/{}/exe", self.0))
            .is_ok_and(|executable| executable == std::path::Path::new(SUBJECT))
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if self.lives() {
            signal_process(self.0, Signal::SIGKILL);
        }
    }
}
