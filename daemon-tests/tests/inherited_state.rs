//! A launched daemon inherits nothing from its launcher, and its children inherit nothing from the framework.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{
    ChildProcess, Fixture, Signal, TEST_CLIENT, TEST_DAEMON, TestResult, has_requirements,
    make_fifo, open_fifo_for_writing, signal_process, stderr, stdout, wait_until,
};

/// A parent with much inheritable state: 200 descriptors, a lock on one of them, ignored and blocked signals, and a pipe
/// that it reads to its end. It records what its children inherit, then runs the client.
const PARENT: &str = r#"
import os, signal, subprocess, sys
directory, *client = sys.argv[1:]
held = os.open(directory + "/flock", os.O_CREAT | os.O_RDWR, 0o600)
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
with open(directory + "/before", "wb") as before:
    before.write(start("ls", "-l", "/proc/self/fd"))
    before.write(start("cat", "/proc/self/status", "/proc/self/stat"))
    before.write(start("env"))
with open(directory + "/self", "wb") as report:
    report.write(start(*client))
"#;

/// A rule that uses make's job server.
const MAKEFILE: &str = "all:\n\t+@python3 $(PARENT) $(DIRECTORY) $(CLIENT)\n";

#[test]
fn a_daemon_started_under_make_inherits_nothing_from_its_parent() -> TestResult {
    if !has_requirements(&["flock", "make", "python3", "script"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let (parent, makefile) = (
        fixture.path().join("parent.py"),
        fixture.path().join("makefile"),
    );
    fs::write(&parent, PARENT)?;
    fs::write(&makefile, MAKEFILE)?;
    let client = fixture.client_command("self");
    let command_line: Vec<_> = std::iter::once(client.get_program())
        .chain(client.get_args())
        .map(|argument| argument.to_string_lossy())
        .collect();
    let mut command = fixture.command("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!("make -j4 -f {}", makefile.display()))
        .arg("/dev/null")
        .env("CLIENT", command_line.join(" "))
        .env("PARENT", &parent)
        .env("DIRECTORY", fixture.path())
        .env_remove("BROKERED_INSTANCE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // The parent reads its pipe to the end, so this hangs if the daemon keeps the pipe open.
    let output = ChildProcess(command.spawn()?).wait_with_output()?;
    assert!(output.status.success(), "{}", stdout(&output));

    let before = fs::read_to_string(fixture.path().join("before"))?;
    let inherited = ProcessState::of(&before)?;
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
    assert!(inherited.ignores(&[1, 2, 3, 10, 15]), "{before}");
    assert!(inherited.blocks(12), "{before}");
    assert_ne!(inherited.terminal, 0, "{before}");

    let report = fs::read_to_string(fixture.path().join("self"))?;
    let daemon = ProcessState::of(&report)?;
    assert!(
        daemon.ignores(&[13]) && daemon.ignored & !((1 << 12) | C_LIBRARY) == 0,
        "{report}"
    );
    assert_eq!(daemon.blocked, 0, "{report}");
    assert_eq!(daemon.terminal, 0, "{report}");
    for file in ["flock", "pipe:", "/dev/tty", "/dev/pts", "/dev/ptmx"] {
        assert!(!report.contains(file), "{file}: {report}");
    }
    let null = report.matches("/dev/null").count();
    assert_eq!(null, 1, "only the standard input: {report}");
    let descriptors = report
        .lines()
        .filter(|line| line.starts_with("fd "))
        .count();
    assert!(descriptors < 20, "{report}");

    // The terminal is gone and the lock is free, and the daemon still runs.
    assert!(
        fs::File::open(fixture.path().join("flock"))?
            .try_lock()
            .is_ok()
    );
    let pid = fixture.request("pid")?;
    assert!(report.contains(&format!("\nPid:\t{pid}\n")), "{report}");

    // The daemon's children inherit neither this state nor the framework's.
    let children = fixture.whole_reply("children")?;
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
        "the standard streams, and the directory that ls reads: {opened:?}"
    );
    Ok(())
}

#[test]
fn a_launched_daemon_inherits_nothing_from_its_launcher() -> TestResult {
    if !has_requirements(&["flock"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let lock = fixture.path().join("flock");
    // A script with ignored signals, a lock on descriptor 9, make's job server, and variables of a service manager.
    let script = "trap '' TERM INT HUP USR1; exec 9>\"$1\"; flock 9; shift; \
                  mkfifo \"$1\"; exec 8<>\"$1\"; shift; \
                  export MAKEFLAGS='--jobserver-auth=8,8' NOTIFY_SOCKET=/nowhere \
                  WATCHDOG_USEC=1000000 LISTEN_PIDFDID=1; exec \"$@\"";
    let client = fixture.client_command("self");
    let mut command = fixture.command("sh");
    command
        .args(["-c", script, "sh"])
        .arg(&lock)
        .arg(fixture.path().join("jobserver"))
        .arg(client.get_program())
        .args(client.get_args())
        .env_remove("BROKERED_INSTANCE");
    // This hangs if the daemon keeps the pipes of the test open.
    let output = command.output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);

    assert!(report.contains("fd 0 /dev/null\n"), "{report}");
    assert!(report.contains("/log\n"), "{report}");
    assert!(!report.contains("flock"), "{report}");
    assert!(!report.contains("jobserver"), "{report}");
    let directory = fixture.project_directory().canonicalize()?;
    assert!(
        report.contains(&format!("cwd {}\n", directory.display())),
        "{report}"
    );
    assert_eq!(
        ignored_signals(&report)?,
        [13],
        "SIGPIPE, as in every Rust program: {report}"
    );
    assert!(report.contains("SigBlk:\t0000000000000000\n"), "{report}");
    // The lock is free once the script has ended.
    assert!(fs::File::open(&lock)?.try_lock().is_ok());

    let children = fixture.whole_reply("children")?;
    for variable in [
        "BROKERED_LAUNCH",
        "BROKERED_INSTANCE",
        "MAKEFLAGS",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "LISTEN_PIDFDID",
    ] {
        assert!(!children.contains(variable), "{variable}: {children}");
    }
    assert!(!children.contains("socket:"), "{children}");
    Ok(())
}

#[test]
fn a_launched_daemon_has_no_terminal() -> TestResult {
    if !has_requirements(&["script"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    // The client runs while the terminal exists: the end of its session takes it away from all processes.
    let client = format!(
        "{TEST_CLIENT} {} {TEST_DAEMON} self",
        fixture.project_directory().display()
    );
    let mut command = fixture.command("script");
    let output = command
        .args(["--quiet", "--return", "--command", &client, "/dev/null"])
        .env_remove("BROKERED_INSTANCE")
        .output()?;
    assert!(output.status.success(), "{}", stdout(&output));
    let report = stdout(&output);
    // The last line is `/proc/self/stat`, whose seventh field is the controlling terminal.
    let stat = report.trim_end().lines().last().ok_or("no report")?;
    let terminal = stat
        .rsplit(") ")
        .next()
        .and_then(|fields| fields.split(' ').nth(4));
    assert_eq!(terminal, Some("0"), "{stat}");
    Ok(())
}

/// The signals that a process ignores, by the mask in its status, without 32 and 33, which are reserved for the C library.
fn ignored_signals(status: &str) -> Result<Vec<u32>, Box<dyn Error>> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .ok_or("no mask")?;
    let mask = u64::from_str_radix(mask.trim(), 16)?;
    Ok((1..=64)
        .filter(|signal| mask & (1 << (signal - 1)) != 0 && !matches!(signal, 32 | 33))
        .collect())
}

/// Signals 32 and 33 are reserved for the C library; a program cannot change their actions.
const C_LIBRARY: u64 = (1 << 31) | (1 << 32);

/// The signal masks and the controlling terminal in a report.
struct ProcessState {
    ignored: u64,
    blocked: u64,
    terminal: u64,
}

impl ProcessState {
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
fn a_child_forked_without_exec_does_not_hide_the_daemons_death() -> TestResult {
    if !has_requirements(&["cc"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let forked = ForkDuringLoad::start(&fixture)?;
    signal_process(forked.daemon, Signal::SIGKILL);
    // The launcher learns of the death, the lock is free, and the next launch succeeds.
    let output = forked.client.wait_with_output()?;
    assert!(stderr(&output).contains("signal: 9"), "{}", stderr(&output));
    wait_until("the lock is free", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    drop(forked.load);
    assert_eq!(fixture.request("pid")?, fixture.record_value("PID")?);
    assert!(forked.child.is_running(), "the forked child still runs");
    Ok(())
}

#[test]
fn sigterm_to_a_child_forked_without_exec_ends_the_child_and_not_the_daemon() -> TestResult {
    if !has_requirements(&["cc"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let forked = ForkDuringLoad::start(&fixture)?;
    signal_process(forked.child.0, Signal::SIGTERM);
    wait_until("the forked child has ended", || !forked.child.is_running());
    drop(forked.load);
    let output = forked.client.wait_with_output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fixture.record_value("PHASE")?, "ready");
    assert_eq!(fixture.request("pid")?, forked.daemon.to_string());
    Ok(())
}

/// A client that has started a daemon, which has forked during its load and still loads.
struct ForkDuringLoad {
    client: ChildProcess,
    daemon: u32,
    child: ForkedChild,
    /// The daemon loads until this is dropped.
    load: fs::File,
}

impl ForkDuringLoad {
    fn start(fixture: &Fixture) -> Result<Self, Box<dyn Error>> {
        let library = compile_fork_library(fixture)?;
        let (fifo, pid_file) = (fixture.path().join("load"), fixture.path().join("child"));
        make_fifo(&fifo)?;
        let mut command = fixture.client_command("pid");
        let client = command
            .env("LD_PRELOAD", &library)
            .env(daemon_tests::LOAD_FORK_PID_FILE, &pid_file)
            .env(daemon_tests::LOAD_FIFO, &fifo)
            .env("TEST_CLIENT_WAIT", "ready")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let client = ChildProcess(client.spawn()?);
        let load = open_fifo_for_writing(&fifo)?;
        let daemon: u32 = fixture.record_value("PID")?.parse()?;
        let child: u32 = fs::read_to_string(&pid_file)?.parse()?;
        Ok(Self {
            client,
            daemon,
            child: ForkedChild::of(daemon, child)?,
            load,
        })
    }
}

/// Compiles `fork_on_getppid.c` to a library that can be preloaded.
fn compile_fork_library(fixture: &Fixture) -> Result<PathBuf, Box<dyn Error>> {
    let library = fixture.path().join("fork.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fork_on_getppid.c"
        ))
        .output()?;
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    Ok(library)
}

/// A forked child that outlives its daemon. It is killed when this is dropped.
struct ForkedChild(u32);

impl ForkedChild {
    /// Asserts that the daemon is the parent, and that both run the same executable.
    fn of(daemon: u32, child: u32) -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{child}/status"))?;
        assert!(status.contains(&format!("\nPPid:\t{daemon}\n")), "{status}");
        let forked = Self(child);
        assert!(forked.is_running());
        Ok(forked)
    }

    fn is_running(&self) -> bool {
        fs::read_link(format!("/proc/{}/exe", self.0))
            .is_ok_and(|executable| executable == std::path::Path::new(TEST_DAEMON))
    }
}

impl Drop for ForkedChild {
    fn drop(&mut self) {
        if self.is_running() {
            signal_process(self.0, Signal::SIGKILL);
        }
    }
}
