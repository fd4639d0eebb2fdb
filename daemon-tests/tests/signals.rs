//! Signals: what closes a terminal ends the daemon gracefully, and what each other signal does.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs;
use std::io::{BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, Signal, TEST_DAEMON, TestResult, has_requirements, is_signal_pending,
    read_line, stderr, wait_until,
};
use daemon_tests::{CONFIGURATION, HOLD, RELOAD_MODE};
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

const RELOAD_DAEMON: &str = env!("CARGO_BIN_EXE_reload-daemon");

/// Runs a program in a new session: without a terminal, even if the tests run on one.
const SETSID: &str = "setsid";

/// What runs the tests may ignore `SIGHUP`, as `nohup` does, and a daemon keeps that.
const WITH_SIGHUP: [&str; 2] = ["env", "--default-signal=HUP"];

/// A daemon whose standard streams and controlling terminal are a terminal. Dropping the other end of the terminal closes
/// it.
struct OnTerminal {
    daemon: ChildProcess,
    terminal: PtyMaster,
}

impl OnTerminal {
    /// Starts a shell command on a new terminal, as the leader of its session. It becomes the daemon that reloads.
    fn start(fixture: &Fixture, shell_command: &str) -> Result<Self, Box<dyn Error>> {
        // No child may inherit it: the terminal closes with the last copy.
        let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        let stream = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(ptsname_r(&terminal)?)?;
        let mut command = reload_daemon(fixture, "threads 1");
        command
            .arg("--ctty")
            .args(WITH_SIGHUP)
            .args(["sh", "-c", shell_command])
            .current_dir(fixture.path())
            .stdin(stream.try_clone()?)
            .stdout(stream.try_clone()?)
            .stderr(stream);
        let daemon = ChildProcess(command.spawn()?);
        let pid = daemon.pid().to_string();
        wait_until("the daemon is ready", || {
            let value = |key| fixture.record_value(key).unwrap_or_default();
            value("PHASE") == "ready" && value("PID") == pid
        });
        Ok(Self { daemon, terminal })
    }

    fn close_terminal(self) -> ChildProcess {
        drop(self.terminal);
        self.daemon
    }
}

/// The daemon that reloads, behind `setsid`. The program and its arguments are still to be added.
fn reload_daemon(fixture: &Fixture, mode: &str) -> Command {
    let mut command = fixture.command_without_instance(SETSID);
    command
        .env(RELOAD_MODE, mode)
        .env(CONFIGURATION, fixture.path().join("configuration"))
        .env(HOLD, fixture.path().join("hold"));
    command
}

/// Starts the daemon that reloads without a terminal.
fn start_without_terminal(fixture: &Fixture, mode: &str) -> Result<ChildProcess, Box<dyn Error>> {
    fs::write(fixture.path().join("configuration"), "first")?;
    let mut command = reload_daemon(fixture, mode);
    command.args(WITH_SIGHUP).arg(RELOAD_DAEMON);
    let daemon = fixture.start(command)?;
    fixture.wait_for_phase("ready");
    Ok(daemon)
}

/// A request that the daemon serves until [`release`] is called.
fn busy(fixture: &Fixture) -> Result<BufReader<UnixStream>, Box<dyn Error>> {
    fs::write(fixture.path().join("hold"), "")?;
    let mut busy = fixture.send("busy")?;
    assert_eq!(read_line(&mut busy)?, "busy");
    Ok(busy)
}

fn release(fixture: &Fixture) -> TestResult {
    Ok(fs::remove_file(fixture.path().join("hold"))?)
}

/// Waits for the end of the daemon, and asserts that it was graceful.
#[track_caller]
fn assert_ended_gracefully(fixture: &Fixture, daemon: ChildProcess) -> TestResult {
    let status = daemon.wait_with_output()?.status;
    assert_eq!(status.code(), Some(0), "{status}");
    let left: Vec<_> = fs::read_dir(fixture.instance_directory()?)?.collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(fixture.is_lock_free()?);
    Ok(())
}

// Hang-ups

#[test]
fn closing_the_terminal_ends_the_daemon_gracefully() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let on_terminal = OnTerminal::start(&fixture, &format!("exec {RELOAD_DAEMON}"))?;
    let mut open = busy(&fixture)?;
    let daemon = on_terminal.close_terminal();
    fixture.wait_for_phase("draining");
    release(&fixture)?;
    // The handler prints on the terminal, which has hung up.
    assert_eq!(read_line(&mut open)?, "served");
    assert_ended_gracefully(&fixture, daemon)
}

/// The kernel, the shell and the session send one each. The terminal can close during a drain, too.
#[test]
fn a_hang_up_cuts_no_drain_short() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    for first in [Signal::SIGHUP, Signal::SIGTERM] {
        let fixture = Fixture::new()?;
        let on_terminal = OnTerminal::start(&fixture, &format!("exec {RELOAD_DAEMON}"))?;
        let mut open = busy(&fixture)?;
        on_terminal.daemon.signal(first);
        fixture.wait_for_phase("draining");
        let daemon = on_terminal.close_terminal();
        for _ in 0..3 {
            daemon.signal(Signal::SIGHUP);
            wait_until("the signal is delivered", || {
                !is_signal_pending(daemon.pid(), Signal::SIGHUP)
            });
        }
        if first == Signal::SIGHUP {
            // At the end of a session, it comes with a hang-up, and is the first signal that counts.
            daemon.signal(Signal::SIGTERM);
        }
        // The daemon would end within this time.
        thread::sleep(Duration::from_millis(300));
        assert_eq!(fixture.record_value("PHASE")?, "draining", "{first}");
        release(&fixture)?;
        assert_eq!(read_line(&mut open)?, "served", "{first}");
        assert_ended_gracefully(&fixture, daemon)?;
    }
    Ok(())
}

/// Both are pending when the daemon continues, so it handles them in one go. Neither hides the other, and the two are
/// not two requests to stop.
#[test]
fn a_hang_up_and_a_request_to_stop_at_once_cut_nothing_short() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    for on_terminal in [true, false] {
        let fixture = Fixture::new()?;
        let daemon = if on_terminal {
            OnTerminal::start(&fixture, &format!("exec {RELOAD_DAEMON}"))?.daemon
        } else {
            start_without_terminal(&fixture, "threads 1")?
        };
        let mut open = busy(&fixture)?;
        daemon.signal(Signal::SIGSTOP);
        daemon.signal(Signal::SIGHUP);
        daemon.signal(Signal::SIGTERM);
        daemon.signal(Signal::SIGCONT);
        fixture.wait_for_phase("draining");
        // The daemon would end within this time.
        thread::sleep(Duration::from_millis(300));
        assert_eq!(fixture.record_value("PHASE")?, "draining");
        release(&fixture)?;
        assert_eq!(read_line(&mut open)?, "served");
        assert_ended_gracefully(&fixture, daemon)?;
    }
    Ok(())
}

/// A shell's background job with redirected output still belongs to the terminal.
#[test]
fn redirected_output_does_not_make_a_hang_up_a_reload() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let redirected = format!("exec {RELOAD_DAEMON} </dev/null >log 2>&1");
    let on_terminal = OnTerminal::start(&fixture, &redirected)?;
    let daemon = on_terminal.close_terminal();
    assert_ended_gracefully(&fixture, daemon)?;
    let log = fs::read_to_string(fixture.path().join("log"))?;
    assert!(log.contains("received SIGHUP"), "{log}");
    assert!(log.ends_with("served\n"), "the log is kept: {log}");
    Ok(())
}

/// The daemon goes on, because it ignores the hang-up. Its output goes nowhere from then on.
#[test]
fn a_terminal_that_closes_without_a_hang_up_does_not_make_output_panic() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    for checks in [true, false] {
        let fixture = Fixture::new()?;
        let interval = if checks { "50" } else { "60000" };
        let command =
            format!("trap '' HUP; BROKERED_TEST_CHECK_MS={interval} exec {RELOAD_DAEMON}");
        let daemon = OnTerminal::start(&fixture, &command)?.close_terminal();
        if checks {
            let output = format!("/proc/{}/fd/1", daemon.pid());
            wait_until("the terminal is replaced", || {
                fs::read_link(&output).is_ok_and(|output| output == Path::new("/dev/null"))
            });
            let mut open = busy(&fixture)?;
            release(&fixture)?;
            assert_eq!(read_line(&mut open)?, "served");
        }
        // `main` prints at its end.
        daemon.signal(Signal::SIGTERM);
        assert_ended_gracefully(&fixture, daemon)?;
    }
    Ok(())
}

#[test]
fn nohup_keeps_a_daemon_alive_when_its_terminal_closes() -> TestResult {
    if !has_requirements(&[SETSID, "nohup"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let on_terminal = OnTerminal::start(&fixture, &format!("exec nohup {RELOAD_DAEMON}"))?;
    let daemon = on_terminal.close_terminal();
    assert!(!handles(daemon.pid(), Signal::SIGHUP));
    daemon.signal(Signal::SIGHUP);
    // An ignored signal is never pending and has no effect, so there is nothing to wait for.
    assert_eq!(
        fixture.whole_reply("state")?,
        ", begun 0, SIGHUP 0, SIGUSR1 0\n"
    );
    assert_eq!(fixture.record_value("PHASE")?, "ready");
    daemon.signal(Signal::SIGTERM);
    assert_ended_gracefully(&fixture, daemon)
}

#[test]
fn without_a_terminal_a_hang_up_is_a_reload() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let daemon = start_without_terminal(&fixture, "threads 1")?;
    daemon.signal(Signal::SIGHUP);
    wait_until("the daemon has reloaded", || {
        fixture
            .whole_reply("state")
            .is_ok_and(|state| state.starts_with("first, begun 1"))
    });
    daemon.signal(Signal::SIGTERM);
    assert_ended_gracefully(&fixture, daemon)
}

#[test]
fn a_daemon_that_does_not_take_reloads_goes_on_after_a_hang_up() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut command = fixture.command(SETSID);
    command.args(WITH_SIGHUP).arg(TEST_DAEMON);
    let daemon = fixture.start(command)?;
    fixture.wait_for_phase("ready");
    daemon.signal(Signal::SIGHUP);
    assert_eq!(
        fixture.whole_reply("pid")?.trim_end(),
        daemon.pid().to_string()
    );
    daemon.signal(Signal::SIGTERM);
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // A launched daemon has no terminal either, wherever its launcher runs.
    let pid: u32 = fixture.request("pid")?.parse()?;
    common::signal_process(pid, Signal::SIGHUP);
    let log = fixture.instance_directory()?.join("log");
    wait_until("the log says so", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("does not take reloads"))
    });
    assert_eq!(fixture.request("pid")?, pid.to_string());
    Ok(())
}

/// `SIGTERM` is not lost among hang-ups, and ends the daemon.
///
/// The supervisor thread is blocked for half a second, because what it prints is not read. Meanwhile the hang-ups fill the
/// socket pair through which the signal handler wakes it.
#[test]
fn a_flood_of_hang_ups_does_not_hide_a_request_to_stop() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let (_unread, output) = UnixStream::pair()?;
    fill(&output)?;
    let mut command = reload_daemon(&fixture, "none");
    command
        .args(WITH_SIGHUP)
        .arg(RELOAD_DAEMON)
        .stderr(Stdio::from(OwnedFd::from(output)));
    let daemon = ChildProcess(command.spawn()?);
    wait_until("the daemon is ready", || {
        fixture
            .record_value("PHASE")
            .is_ok_and(|phase| phase == "ready")
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    for _ in 0..3000 {
        daemon.signal(Signal::SIGHUP);
        while is_signal_pending(daemon.pid(), Signal::SIGHUP) && Instant::now() < deadline {}
    }
    daemon.signal(Signal::SIGTERM);
    wait_until("the daemon drains or has ended", || {
        fixture
            .record_value("PHASE")
            .map_or(true, |phase| phase == "draining")
    });
    assert_ended_gracefully(&fixture, daemon)
}

/// Fills the buffer of a stream, so that the next write to it blocks.
fn fill(mut stream: &UnixStream) -> TestResult {
    stream.set_nonblocking(true)?;
    while stream.write(&[b'.'; 4096]).is_ok() {}
    while stream.write(b".").is_ok() {}
    Ok(stream.set_nonblocking(false)?)
}

// Other signals

/// These end the process at once, as in any other program. The next client starts a daemon over what is left.
#[test]
fn signals_that_are_not_handled_end_the_process_and_the_next_client_is_served() -> TestResult {
    for signal in [
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
    ] {
        let fixture = Fixture::new()?;
        let mut command = fixture.command("sh");
        // A core dump of each run would fill the disk.
        let without_core = format!("ulimit -c 0; exec {TEST_DAEMON}");
        command.args(["-c", &without_core]);
        let daemon = fixture.start(command)?;
        fixture.wait_for_phase("ready");
        let mut open = fixture.send("wait")?;
        assert_eq!(read_line(&mut open)?, "waiting");
        let before = daemon.pid().to_string();
        daemon.signal(signal);
        let status: ExitStatus = daemon.wait_with_output()?.status;
        assert_eq!(status.signal(), Some(signal as i32), "{signal}: {status}");
        assert_eq!(read_line(&mut open)?, "", "{signal}: nothing hangs");
        assert!(fixture.socket()?.exists(), "{signal}: the socket stays");
        assert_eq!(fixture.record_value("PHASE")?, "ready", "{signal}");
        assert!(fixture.is_lock_free()?, "{signal}");
        let after = fixture.request("pid")?;
        assert_ne!(after, before, "{signal}");
        assert_eq!(fixture.record_value("PID")?, after, "{signal}");
    }
    Ok(())
}

/// tokio's handler for `SIGHUP` and that of the framework both run.
#[test]
fn handlers_of_the_daemon_itself_receive_their_signals() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let daemon = start_without_terminal(&fixture, "task")?;
    // tokio's handlers are installed after the daemon is ready, when its task runs.
    wait_until("tokio handles SIGUSR1", || {
        handles(daemon.pid(), Signal::SIGUSR1)
    });
    for number in 1..=2 {
        daemon.signal(Signal::SIGHUP);
        daemon.signal(Signal::SIGUSR1);
        let expected = format!("first, begun {number}, SIGHUP {number}, SIGUSR1 {number}\n");
        let mut state = String::new();
        wait_until("all have received theirs", || {
            state = fixture.whole_reply("state").unwrap_or_default();
            state == expected
        });
    }
    daemon.signal(Signal::SIGTERM);
    assert_ended_gracefully(&fixture, daemon)
}

/// Whether a process has a handler for a signal.
fn handles(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0)
}

/// A stopped daemon keeps its clients, and serves them when it continues.
#[test]
fn a_stopped_daemon_serves_its_clients_when_it_continues() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    daemon.signal(Signal::SIGSTOP);
    let mut waits = fixture.send("phase")?;
    daemon.signal(Signal::SIGCONT);
    assert_eq!(read_line(&mut waits)?, "ready");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}
