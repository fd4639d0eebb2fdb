//! Daemons that cannot go on: stopped, frozen, with handlers that never return, without a free descriptor, or with a
//! load that waits for itself.
//!
//! In each case a client ends at its deadline and says what is wrong, and the operator's commands work or say why not.

#![cfg(unix)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, ROOT, SINGLE_INSTANCE_DAEMON, Signal, TEST_DAEMON, TIMEOUT, TestResult,
    assert_advises_no_deletion, has_requirements, output_within, read_line, signal_process,
    spawn_piped, stderr, stdout, wait_until, wait_within,
};
use daemon_tests::CALLING_DAEMON_CALLS;

const CALLING_DAEMON: &str = env!("CARGO_BIN_EXE_calling-daemon");

// Processes that do not run

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux reports the state of a process"
)]
fn a_stopped_daemon_is_named_with_the_command_that_continues_it() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    daemon.signal(Signal::SIGSTOP);
    let hint = format!("kill -CONT {}", daemon.pid());
    let mut messages = Vec::new();
    for wait in ["ready", "bound", "nothing"] {
        let mut client = fixture.client_command("pid");
        client
            .env("TEST_CLIENT_WAIT", wait)
            .env("TEST_CLIENT_DEADLINE_MS", "500")
            .env("TEST_CLIENT_REPORT_CONNECTED", "1");
        if wait == "ready" {
            let began = Instant::now();
            messages.push(stderr(&output_within(TIMEOUT, &mut client)));
            assert!(began.elapsed() >= Duration::from_millis(500));
            continue;
        }
        // The connection waits in the backlog. A client that cannot wait sets a timeout on the stream.
        let mut waiting = spawn_piped(&mut client);
        let stderr = waiting.0.stderr.as_mut().ok_or("no standard error")?;
        assert_eq!(read_line(&mut BufReader::new(stderr))?, "connected");
    }
    for (arguments, code) in [
        (&["stop", "test-daemon", "--timeout", "300ms"][..], 5),
        (&["restart", "test-daemon", "--timeout", "300ms"], 5),
        (&["wait", "test-daemon", "--timeout", "300ms"], 4),
        (&["status", "test-daemon", "--timeout", "300ms"], 4),
        (&["list", "--timeout", "300ms"], 0),
        (&["doctor"], 1),
    ] {
        let shown = fixture.brokered(arguments);
        assert_eq!(shown.code, Some(code), "{arguments:?}: {}", shown.err);
        messages.push(shown.out + &shown.err);
    }
    for message in &messages {
        assert!(message.contains(&hint), "{message}");
        assert_advises_no_deletion(message);
    }
    assert_eq!(fixture.daemon_pids(), [daemon.pid()], "no second daemon");
    // It was asked to stop several times, and ends once it continues.
    daemon.signal(Signal::SIGCONT);
    assert!(daemon.wait_with_output()?.status.success());
    Ok(())
}

/// The launcher cannot know a process that is stopped before it is bound from its record.
#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux reports the state of a process"
)]
fn a_daemon_that_is_stopped_during_its_start_is_named() -> TestResult {
    let fixture = Fixture::new()?;
    let script = common::script(&fixture, "kill -STOP $$")?;
    let mut client = fixture.client_command_for(&script, "pid");
    client.env("TEST_CLIENT_DEADLINE_MS", "1000");
    let message = stderr(&output_within(TIMEOUT, &mut client));
    let stopped = message
        .split("kill -CONT ")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let pid: u32 = stopped.ok_or_else(|| message.clone())?.parse()?;
    signal_process(pid, Signal::SIGKILL);
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn a_stopped_daemon_is_restarted_with_kill() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    daemon.signal(Signal::SIGSTOP);
    let error = fixture
        .brokered(&["restart", "test-daemon", "--timeout", "100ms"])
        .failure(5);
    assert!(error.contains("--kill"), "{error}");
    assert_eq!(fixture.daemon_pids(), [daemon.pid()]);
    fixture
        .brokered(&["restart", "test-daemon", "--timeout", "4s", "--kill"])
        .success();
    assert_ne!(fixture.pid(), daemon.pid());
    assert_eq!(fixture.request("pid")?, fixture.pid().to_string());

    let next = fixture.pid();
    signal_process(next, Signal::SIGSTOP);
    let said = fixture
        .brokered(&["stop", "test-daemon", "--timeout", "100ms", "--kill"])
        .success();
    assert!(said.contains("SIGKILL"), "{said}");
    assert!(fixture.is_lock_free()?);
    Ok(())
}

/// Only the process that the record certainly names is ended.
#[test]
fn no_other_process_is_killed() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let record = fixture.record()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    // This test holds the lock. The record names a process that holds nothing.
    let instance = fixture.instance_directory()?;
    let lock = fs::File::open(&instance)?;
    lock.lock()?;
    let mut other = ChildProcess(Command::new("sleep").arg("60").spawn()?);
    let lines = record.lines().map(|line| {
        if line.starts_with("PID=") {
            format!("PID={}\n", other.pid())
        } else {
            format!("{line}\n")
        }
    });
    fs::write(instance.join("record"), lines.collect::<String>())?;
    let error = fixture
        .brokered(&["stop", "test-daemon", "--timeout", "100ms", "--kill"])
        .failure(4);
    assert!(error.contains("no signal was sent"), "{error}");
    let error = fixture
        .brokered(&["stop", "test-daemon", "--timeout", "100ms"])
        .failure(4);
    assert!(!error.contains("--kill"), "{error}");
    assert!(other.0.try_wait()?.is_none(), "the other process runs");
    Ok(())
}

/// The file that freezes a control group, and what freezes and thaws.
type Switch = (&'static str, &'static str, &'static str);

/// A control group with one process. It is thawed, emptied and removed when this is dropped.
struct FrozenGroup {
    root: &'static Path,
    directory: PathBuf,
    pid: u32,
    switch: Switch,
}

impl FrozenGroup {
    /// Freezes a process. `None` if there is no such hierarchy, or if the test may not create a group in it.
    fn of(pid: u32, root: &'static Path, switch: Switch) -> Option<Self> {
        if !root.join("cgroup.procs").exists() {
            return None;
        }
        let directory = root.join(format!("brokered-test-{pid}"));
        fs::create_dir(&directory).ok()?;
        let group = Self {
            root,
            directory,
            pid,
            switch,
        };
        fs::write(group.directory.join("cgroup.procs"), pid.to_string()).ok()?;
        fs::write(group.directory.join(switch.0), switch.1).ok()?;
        Some(group)
    }
}

impl Drop for FrozenGroup {
    fn drop(&mut self) {
        let _ = fs::write(self.directory.join(self.switch.0), self.switch.2);
        let _ = fs::write(self.root.join("cgroup.procs"), self.pid.to_string());
        let deadline = Instant::now() + TIMEOUT;
        while fs::remove_dir(&self.directory).is_err() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux reports the state of a process"
)]
fn a_frozen_daemon_is_named() -> TestResult {
    if !has_requirements(&[ROOT]) {
        return Ok(());
    }
    let version_2 = ("cgroup.freeze", "1", "0");
    let mut tried = 0;
    for (root, switch) in [
        ("/sys/fs/cgroup", version_2),
        ("/sys/fs/cgroup/unified", version_2),
        (
            "/sys/fs/cgroup/freezer",
            ("freezer.state", "FROZEN", "THAWED"),
        ),
    ] {
        let fixture = Fixture::new()?;
        let daemon = fixture.start_daemon()?;
        fixture.wait_for_phase("ready");
        let Some(_frozen) = FrozenGroup::of(daemon.pid(), Path::new(root), switch) else {
            continue;
        };
        tried += 1;
        wait_until("the daemon is named as frozen", || {
            let status = fixture.brokered(&["status", "test-daemon", "--timeout", "100ms"]);
            status.out.contains("frozen control group")
        });
    }
    if tried == 0 {
        eprintln!("skipped: no control group can be created here");
    }
    Ok(())
}

// Handlers

#[test]
fn a_daemon_whose_handlers_never_return_says_so() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.arg("2");
    let daemon = fixture.start(command)?;
    let mut stuck = Vec::new();
    for _ in 0..2 {
        let mut client = fixture.send("stuck")?;
        assert_eq!(read_line(&mut client)?, "stuck");
        stuck.push(client);
    }
    let status = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(status["clients"], 2, "{status}");
    assert_eq!(status["clients_limit"], 2, "{status}");
    let shown = fixture.brokered(&["status", "test-daemon"]).success();
    assert!(shown.contains("which is the limit"), "{shown}");
    let findings = fixture.brokered(&["doctor"]).success();
    assert!(findings.contains("max_connections"), "{findings}");
    // The drain is cut short after ten seconds. Until then the request is only known to have been received.
    let error = fixture
        .brokered(&["stop", "test-daemon", "--timeout", "300ms"])
        .failure(5);
    assert!(error.contains("still serves 2 connections"), "{error}");
    let output = wait_within(TIMEOUT, daemon);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("cut short"), "{}", stderr(&output));
    Ok(())
}

// Descriptors

/// Starts the test daemon with at most 32 descriptors.
fn start_with_few_descriptors(
    fixture: &Fixture,
    program: &str,
) -> Result<ChildProcess, Box<dyn Error>> {
    let mut command = if program == TEST_DAEMON {
        fixture.command("sh")
    } else {
        fixture.command_without_instance("sh")
    };
    command.args(["-c", "ulimit -n 32; exec \"$1\"", "sh", program]);
    let daemon = fixture.start(command)?;
    let control = fixture.instance_directory()?.join("control");
    wait_until("the control endpoint exists", || control.exists());
    Ok(daemon)
}

/// `accept` looks for a free descriptor before it tells that the backlog is empty. The request to stop may hold the last
/// one.
#[test]
fn the_end_does_not_wait_for_a_free_descriptor() -> TestResult {
    for program in [SINGLE_INSTANCE_DAEMON, env!("CARGO_BIN_EXE_tokio-daemon")] {
        // As many as it needs to be asked and stopped.
        let mut limit = 64;
        let mut slowest = Duration::ZERO;
        for _ in 0..4 {
            let fixture = Fixture::new()?;
            let mut command = fixture.command_without_instance("sh");
            let limited = "ulimit -n \"$2\"; exec \"$1\"";
            command.args(["-c", limited, "sh", program, &limit.to_string()]);
            let _daemon = fixture.start(command)?;
            let instance = fixture.instance_directory()?;
            let instance = instance.to_str().ok_or("a path of text")?;
            wait_until("the daemon answers", || {
                fixture.brokered(&["probe", "--live", instance]).code == Some(0)
            });
            let status = fixture.brokered_json(&["status", instance]);
            if limit == 64 {
                limit = status["descriptors"].as_u64().ok_or("no number")?;
            } else {
                limit += 1;
            }
            let began = Instant::now();
            fixture.brokered(&["stop", instance]).success();
            slowest = slowest.max(began.elapsed());
        }
        assert!(slowest < Duration::from_secs(4), "{program}: {slowest:?}");
    }
    Ok(())
}

/// Connects clients that send a line and stay connected. More than the daemon has descriptors for.
fn hold_connections(
    fixture: &Fixture,
    line: &str,
) -> Result<Vec<BufReader<UnixStream>>, Box<dyn Error>> {
    (0..40).map(|_| fixture.send(line)).collect()
}

/// Waits until a daemon has found no descriptor for a client.
fn wait_for_shortage(fixture: &Fixture, daemon: &str) {
    wait_until("clients wait for a descriptor", || {
        let status = fixture.brokered_json(&["status", daemon]);
        status["descriptor_shortages"].as_u64() >= Some(1)
    });
}

#[test]
fn status_and_stop_work_while_clients_hold_all_descriptors() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = start_with_few_descriptors(&fixture, TEST_DAEMON)?;
    let clients = hold_connections(&fixture, "hold")?;
    wait_for_shortage(&fixture, "test-daemon");
    // The reserve does not wear out.
    for _ in 0..30 {
        fixture
            .brokered(&["probe", "test-daemon", "--timeout", "20s"])
            .success();
    }
    let status = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(status["descriptors_limit"], 32, "{status}");
    if !cfg!(brokered_portable) {
        assert!(status["descriptors"].as_u64() >= Some(20), "{status}");
        let shown = fixture.brokered(&["status", "test-daemon"]).success();
        assert!(shown.contains("of 32 open"), "{shown}");
        assert!(shown.contains("shortages: "), "{shown}");
    }
    let findings = fixture.brokered(&["doctor"]).success();
    assert!(findings.contains("LimitNOFILE="), "{findings}");

    // One client keeps sending, so that the drain does not end before it stops.
    let is_draining = AtomicBool::new(false);
    thread::scope(|scope| -> TestResult {
        let mut busy = clients[0].get_ref().try_clone()?;
        let is_draining = &is_draining;
        scope.spawn(move || {
            while !is_draining.load(Ordering::Acquire) && busy.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let mut stop = fixture.tool(&["stop", "test-daemon"]);
        let stop = spawn_piped(&mut stop);
        wait_until("the record says that it drains", || {
            fixture
                .record_value("PHASE")
                .is_ok_and(|phase| phase == "draining")
        });
        // It can still be asked.
        let status = fixture.brokered_json(&["status", "test-daemon"]);
        is_draining.store(true, Ordering::Release);
        assert_eq!(status["phase"], "draining", "{status}");
        let stopped = wait_within(TIMEOUT, stop);
        assert_eq!(
            stdout(&stopped),
            "test-daemon has ended\n",
            "{}",
            stderr(&stopped)
        );
        Ok(())
    })?;
    let output = wait_within(TIMEOUT, daemon);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{message}");
    // Quiet connections were found, although that takes descriptors. So the drain was not cut short. Elsewhere a
    // connection is quiet after two seconds, and there are several turns of them.
    if !cfg!(brokered_portable) {
        assert!(stdout(&output).ends_with("served\n"), "{message}");
    }
    assert!(fixture.record().is_err() && fixture.is_lock_free()?);
    Ok(())
}

#[test]
fn a_client_is_refused_when_no_descriptor_is_free_for_long() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = start_with_few_descriptors(&fixture, TEST_DAEMON)?;
    let began = Instant::now();
    let mut clients = hold_connections(&fixture, "hold")?;
    let mut first = clients.remove(0);
    assert_eq!(read_line(&mut first)?, "holding");
    // The last one waits in the backlog, and then its stream ends: with an error if its line was not read.
    let mut last = clients.pop().ok_or("no client")?;
    let ended = matches!(last.read_line(&mut String::new()), Ok(0) | Err(_));
    assert!(ended && began.elapsed() < TIMEOUT, "the client is refused");
    assert!(
        began.elapsed() >= Duration::from_secs(4),
        "a client waits for a short shortage: {:?}",
        began.elapsed()
    );
    let status = fixture.brokered_json(&["status", "test-daemon"]);
    assert!(status["clients_refused"].as_u64() >= Some(1), "{status}");
    assert!(
        status["descriptor_shortages"].as_u64() >= Some(1),
        "{status}"
    );
    // From now on a client does not wait. It may be refused before it has sent its line.
    if let Ok(mut next) = fixture.send("pid") {
        assert!(matches!(next.read_line(&mut String::new()), Ok(0) | Err(_)));
    }
    // The others are still served, and so is a client for which there is a descriptor.
    first.get_ref().shutdown(std::net::Shutdown::Write)?;
    assert_eq!(read_line(&mut first)?, "held");
    drop((first, clients));
    wait_until("a client is served again", || {
        fixture
            .whole_reply("pid")
            .is_ok_and(|pid| pid.trim_end() == daemon.pid().to_string())
    });
    daemon.signal(Signal::SIGTERM);
    let output = wait_within(TIMEOUT, daemon);
    let message = stderr(&output);
    assert_eq!(
        message.matches("new clients are refused").count(),
        1,
        "{message}"
    );
    Ok(())
}

/// A daemon without free descriptors is not busy with that.
#[test]
fn a_shortage_of_descriptors_uses_no_cpu_time() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = start_with_few_descriptors(&fixture, TEST_DAEMON)?;
    let clients = hold_connections(&fixture, "hold")?;
    wait_for_shortage(&fixture, "test-daemon");
    let ticks = || -> Result<u64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no fields")?;
        let mut times = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u64>);
        Ok(times.next().ok_or("utime")?? + times.next().ok_or("stime")??)
    };
    let before = ticks()?;
    thread::sleep(Duration::from_secs(2));
    // A tick is ten milliseconds.
    assert!(ticks()? - before < 50, "{before} to {}", ticks()?);
    drop(clients);
    Ok(())
}

#[test]
fn a_shortage_of_descriptors_does_not_end_a_tokio_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let program = env!("CARGO_BIN_EXE_tokio-daemon");
    let daemon = start_with_few_descriptors(&fixture, program)?;
    let mut clients = hold_connections(&fixture, "x")?;
    wait_for_shortage(&fixture, "tokio");
    let mut first = clients.remove(0);
    assert_eq!(read_line(&mut first)?, daemon.pid().to_string());
    // After a time they are refused, as other daemons do.
    let mut last = clients.pop().ok_or("no client")?;
    assert!(matches!(last.read_line(&mut String::new()), Ok(0) | Err(_)));
    drop(clients);
    let mut next = None;
    wait_until("a client is served again", || {
        let Ok(mut client) = fixture.send("x") else {
            return false;
        };
        let line = read_line(&mut client);
        next = Some(client);
        line.is_ok_and(|line| line == daemon.pid().to_string())
    });
    // A drain waits for the clients of a tokio daemon.
    drop((first, last, next));
    fixture.brokered(&["stop", "tokio"]).success();
    let output = wait_within(TIMEOUT, daemon);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_tokio_daemon_without_free_descriptors_drains() -> TestResult {
    let fixture = Fixture::new()?;
    let program = env!("CARGO_BIN_EXE_tokio-daemon");
    let daemon = start_with_few_descriptors(&fixture, program)?;
    let clients = hold_connections(&fixture, "x")?;
    wait_for_shortage(&fixture, "tokio");
    let mut stop = fixture.tool(&["stop", "tokio"]);
    let stop = spawn_piped(&mut stop);
    // Those that were accepted leave during the drain, and those in the backlog are served then.
    fixture.wait_for_phase("draining");
    for mut client in clients {
        assert_eq!(read_line(&mut client)?, daemon.pid().to_string());
    }
    assert!(wait_within(TIMEOUT, stop).status.success());
    let output = wait_within(TIMEOUT, daemon);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    Ok(())
}

// Loads that wait for themselves

/// A call of the client, with the calls that the loads of the daemons make.
fn call(fixture: &Fixture, calls: &str, call: [&str; 3]) -> Command {
    let mut command = fixture.command_without_instance(CALLING_DAEMON);
    command.env(CALLING_DAEMON_CALLS, calls).args(call);
    command
}

/// Asserts that a call failed long before the deadlines of the calls in the loads, which are a minute.
#[track_caller]
fn assert_failed(output: &Output, text: &str) {
    let message = stderr(output);
    assert!(!output.status.success(), "{}{message}", stdout(output));
    assert!(message.contains(text), "{message}");
    assert_advises_no_deletion(&message);
}

#[test]
fn a_load_that_waits_for_its_own_daemon_fails_at_once() -> TestResult {
    for own in [
        "a:connect:a",
        "a:spawn-nothing:a",
        "a:spawn-bound:a",
        "a:spawn-ready:a",
        "a:wait-ready:a",
        "a:stop:a",
        // A load in the background can connect, because clients are served meanwhile. It cannot wait for its own end.
        "a-background:spawn-ready:a",
        "a-background:wait-ready:a",
    ] {
        let fixture = Fixture::new()?;
        let calls = format!("{own}:60000");
        let mut client = call(&fixture, &calls, ["spawn-ready", "a", "60000"]);
        let output = output_within(TIMEOUT, &mut client);
        assert_failed(&output, "the call would wait for itself");
    }
    Ok(())
}

#[test]
fn a_daemon_that_serves_can_call_itself() -> TestResult {
    for (own, reply) in [
        ("a:status:a", "served by a"),
        ("a-background:request:a", "served by a"),
        // The first handler runs on the thread that has loaded the states.
        ("a-handler:request:a", "served by a"),
        ("a-handler:spawn-ready:a", "served by a"),
        ("a-handler:wait-ready:a", "served by a"),
    ] {
        let fixture = Fixture::new()?;
        let calls = format!("{own}:60000");
        let mut client = call(&fixture, &calls, ["spawn-ready", "a", "60000"]);
        let output = output_within(TIMEOUT, &mut client);
        assert_eq!(
            stdout(&output).trim_end(),
            reply,
            "{own}: {}",
            stderr(&output)
        );
        let mut stop = call(&fixture, "", ["stop", "a", "60000"]);
        assert_eq!(stdout(&output_within(TIMEOUT, &mut stop)), "Ended\n");
    }
    Ok(())
}

/// Ends the calling daemons of a fixture.
fn stop_all(fixture: &Fixture) {
    for pid in fixture.pids_of(CALLING_DAEMON) {
        signal_process(pid, Signal::SIGKILL);
    }
}

#[test]
fn loads_that_wait_for_each_other_fail_at_once_with_the_chain() -> TestResult {
    for (calls, links) in [
        ("a:spawn-ready:b:60000;b:spawn-ready:a:60000", 2),
        ("a:spawn-ready:b:60000;b:wait-ready:a:60000", 2),
        ("a:spawn-ready:b:60000;b-background:spawn-ready:a:60000", 2),
        (
            "a:spawn-ready:b:60000;b:spawn-ready:c:60000;c:spawn-ready:a:60000",
            3,
        ),
    ] {
        let fixture = Fixture::new()?;
        let mut client = call(&fixture, calls, ["spawn-ready", "a", "60000"]);
        let output = output_within(TIMEOUT, &mut client);
        assert_failed(&output, "wait for each other");
        let message = stderr(&output);
        let chain = message.split("ever be ready: ").nth(1).unwrap_or_default();
        let chain = chain.split(';').next().unwrap_or_default();
        let daemons: Vec<&str> = chain.split(" waits for ").collect();
        assert_eq!(daemons.len(), links + 1, "{message}");
        assert_eq!(daemons.first(), daemons.last(), "{message}");
    }
    Ok(())
}

#[test]
fn loads_that_need_each_other_only_bound_succeed() -> TestResult {
    for calls in [
        "a:spawn-bound:b:60000;b:spawn-bound:a:60000",
        "a:spawn-ready:b:60000;b:spawn-bound:a:60000",
        "a:spawn-ready:b:60000;b:status:a:60000",
        // Two loads wait for the same daemon.
        "a:spawn-ready:b:60000;a-background:spawn-ready:b:60000",
    ] {
        let fixture = Fixture::new()?;
        let mut client = call(&fixture, calls, ["spawn-ready", "a", "60000"]);
        let output = output_within(TIMEOUT, &mut client);
        assert_eq!(
            stdout(&output),
            "served by a\n",
            "{calls}: {}",
            stderr(&output)
        );
        stop_all(&fixture);
    }
    Ok(())
}

#[test]
fn a_client_at_its_deadline_learns_what_a_load_waits_for() -> TestResult {
    let fixture = Fixture::new()?;
    // Builds the tool, which may take longer than the calls.
    let _ = fixture.tool(&[]);
    let calls = "a:spawn-ready:b:60000;b:block:-:0";
    let mut launcher = call(&fixture, calls, ["spawn-ready", "a", "1000"]);
    assert_failed(
        &output_within(TIMEOUT, &mut launcher),
        "waits for the daemon of",
    );
    let mut other = call(&fixture, calls, ["spawn-ready", "a", "200"]);
    assert_failed(
        &output_within(TIMEOUT, &mut other),
        "waits for the daemon of",
    );
    // `b` waits for nothing that the framework knows.
    let mut other = call(&fixture, calls, ["wait-ready", "b", "200"]);
    let message = stderr(&output_within(TIMEOUT, &mut other));
    assert!(message.contains("still loading"), "{message}");
    assert!(!message.contains("waits for"), "{message}");
    let shown = fixture
        .brokered(&["status", "calling-daemon", "-i", "a"])
        .success();
    assert!(shown.contains("waits for"), "{shown}");
    stop_all(&fixture);
    Ok(())
}

/// The framework cannot know whether a load waits for a reply. It says to which daemon the load has connected.
#[test]
fn a_client_at_its_deadline_learns_where_a_load_has_connected() -> TestResult {
    let fixture = Fixture::new()?;
    let calls = "a:request:b:60000;b:request:a:60000";
    let mut launcher = call(&fixture, calls, ["spawn-ready", "a", "1000"]);
    let output = output_within(TIMEOUT, &mut launcher);
    assert_failed(&output, "it has connected to the daemon of");
    let message = stderr(&output);
    let other = message.split("daemon of ").nth(1).unwrap_or_default();
    let other = fs::read_to_string(Path::new(other.trim_end()).join("record"))?;
    assert!(other.contains("INSTANCE=b\n"), "{message}: {other}");
    stop_all(&fixture);
    Ok(())
}
