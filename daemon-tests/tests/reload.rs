//! Reloads: by signal, by a client, by the operator's tool and under a service manager.

#![cfg(unix)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::error::Error;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{
    BACKEND, ChildProcess, Fixture, Signal, TEST_DAEMON, TIMEOUT, TestResult, connection_count,
    has_requirements, is_signal_pending, make_fifo, open_fifo_for_writing, read_line, spawn_piped,
    stderr, stdout, wait_until,
};
use daemon_tests::{CONFIGURATION, HOLD, LOAD_FIFO, RELOAD_MODE};
use tool::ToolOutput;

const RELOAD_DAEMON: &str = env!("CARGO_BIN_EXE_reload-daemon");
const TEST_OPERATOR: &str = env!("CARGO_BIN_EXE_test-operator");

/// Runs a program in a new session: without a terminal, even if the tests run on one. On a terminal, `SIGHUP` does not
/// ask for a reload.
const SETSID: &str = "setsid";

/// What runs the tests may ignore `SIGHUP`, as `nohup` does, and a daemon keeps that.
const WITH_SIGHUP: [&str; 2] = ["env", "--default-signal=HUP"];

/// The daemon that reloads, in a fixture of its own.
struct Subject {
    fixture: Fixture,
    daemon: ChildProcess,
}

impl Subject {
    /// Starts the daemon with the configuration `first`, and waits until it is ready.
    fn start(mode: &str) -> Result<Self, Box<dyn Error>> {
        let fixture = Fixture::new()?;
        let command = Self::command(&fixture, mode)?;
        let daemon = fixture.start(command)?;
        fixture.wait_for_phase("ready");
        Ok(Self { fixture, daemon })
    }

    fn command(fixture: &Fixture, mode: &str) -> Result<Command, Box<dyn Error>> {
        let mut command = fixture.command_without_instance(SETSID);
        command
            .args(WITH_SIGHUP)
            .arg(RELOAD_DAEMON)
            .env(RELOAD_MODE, mode)
            .env(CONFIGURATION, fixture.path().join("configuration"))
            .env(HOLD, fixture.path().join("hold"));
        fs::write(fixture.path().join("configuration"), "first")?;
        Ok(command)
    }

    fn configure(&self, configuration: &str) -> TestResult {
        // Renamed, so that the daemon never reads half of it.
        let new = self.fixture.path().join("new");
        fs::write(&new, configuration)?;
        Ok(fs::rename(new, self.fixture.path().join("configuration"))?)
    }

    /// Keeps each reload under way until [`release`](Self::release).
    fn hold(&self) -> TestResult {
        self.hold_parts(0)
    }

    /// The same, but the parts of the daemon with lower numbers end theirs.
    fn hold_parts(&self, from: usize) -> TestResult {
        let hold = self.fixture.path().join("hold");
        Ok(fs::write(hold, from.to_string())?)
    }

    fn release(&self) -> TestResult {
        Ok(fs::remove_file(self.fixture.path().join("hold"))?)
    }

    /// Sends `SIGHUP`, and waits until the daemon has received it. Two that are pending at once are one.
    fn hang_up(&self) {
        self.daemon.signal(Signal::SIGHUP);
        wait_until("the signal is delivered", || {
            !is_signal_pending(self.daemon.pid(), Signal::SIGHUP)
        });
    }

    /// The configuration, and how many reloads have begun.
    fn state(&self) -> (String, usize) {
        let state = self.fixture.whole_reply("state").unwrap_or_default();
        let state = state.split_once(", SIGHUP").unwrap_or_default().0;
        let (configuration, begun) = state.split_once(", begun ").unwrap_or_default();
        (configuration.to_owned(), begun.parse().unwrap_or_default())
    }

    #[track_caller]
    fn wait_for_state(&self, configuration: &str, begun: usize) {
        wait_until("the daemon has reloaded", || {
            self.state() == (configuration.to_owned(), begun)
        });
    }

    /// An operator that runs a command, with a deadline.
    fn operator(&self, command: &str, deadline_ms: u64) -> Command {
        operator(&self.fixture, command, deadline_ms)
    }

    /// Requests a reload, and waits until the daemon has confirmed it. The result is the rest of the reply.
    fn start_reload(&self) -> Result<BufReader<UnixStream>, Box<dyn Error>> {
        let control = self.fixture.instance_directory()?.join("control");
        let mut client = UnixStream::connect(control)?;
        client.set_read_timeout(Some(TIMEOUT))?;
        client.write_all(b"reload\n")?;
        let mut client = BufReader::new(client);
        let confirmed = read_line(&mut client)?;
        assert!(confirmed.starts_with("PHASE="), "{confirmed}");
        Ok(client)
    }

    /// The output of an operator that succeeds.
    fn operate(&self, command: &str) -> Result<String, Box<dyn Error>> {
        let output = self.operator(command, 30_000).output()?;
        assert!(output.status.success(), "{}", stderr(&output));
        Ok(stdout(&output))
    }

    fn end(self) -> TestResult {
        self.daemon.signal(Signal::SIGTERM);
        self.wait_for_end()
    }

    fn wait_for_end(self) -> TestResult {
        let output = self.daemon.wait_with_output()?;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).ends_with("served\n"), "no receiver blocks");
        Ok(())
    }
}

fn operator(fixture: &Fixture, command: &str, deadline_ms: u64) -> Command {
    let mut operator = fixture.command_without_instance(TEST_OPERATOR);
    operator
        .args([command, &deadline_ms.to_string()])
        .env("TEST_OPERATOR_DAEMON", "reload");
    operator
}

/// The rest of a reply.
fn rest_of(mut client: BufReader<UnixStream>) -> Result<String, Box<dyn Error>> {
    let mut rest = String::new();
    client.read_to_string(&mut rest)?;
    Ok(rest)
}

// By signal

#[test]
fn each_way_to_wait_receives_each_request() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    for mode in ["threads 1", "poll", "task"] {
        let subject = Subject::start(mode)?;
        for number in 1..=3 {
            let configuration = format!("{mode} {number}");
            subject.configure(&configuration)?;
            subject.hang_up();
            subject.wait_for_state(&configuration, number);
        }
        subject.end()?;
    }
    Ok(())
}

/// The requests that arrive during a reload lead to exactly one more, which sees what has changed meanwhile.
#[test]
fn requests_during_a_reload_lead_to_one_more() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 1")?;
    subject.configure("refuse this")?;
    subject.hold()?;
    subject.hang_up();
    subject.wait_for_state("", 1);
    for number in 0..5 {
        subject.configure(&format!("change {number}"))?;
        subject.hang_up();
    }
    let client = subject.start_reload()?;
    assert_eq!(subject.state(), (String::new(), 1), "one at a time");
    subject.release()?;
    assert!(rest_of(client)?.starts_with("RELOAD=done\nRELOAD_US="));
    assert_eq!(subject.state(), ("change 4".to_owned(), 2));
    assert!(subject.operate("status")?.contains("reloads: 2,"));
    // The next request leads to the next reload, so no further one was waiting.
    subject.operate("reload")?;
    assert_eq!(subject.state(), ("change 4".to_owned(), 3));
    subject.end()
}

#[test]
fn a_request_before_readiness_is_kept() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = Subject::command(&fixture, "threads 1")?;
    command.env(LOAD_FIFO, &fifo);
    let daemon = fixture.start(command)?;
    let subject = Subject { fixture, daemon };
    subject.fixture.wait_for_phase("loading");
    subject.hang_up();
    let late = subject.operator("reload", 500).output()?;
    assert!(
        stderr(&late).contains("still loading after"),
        "{}",
        stderr(&late)
    );
    let client = subject.start_reload()?;
    drop(open_fifo_for_writing(&fifo)?);
    assert!(rest_of(client)?.starts_with("RELOAD=done\nRELOAD_US="));
    assert_eq!(subject.state(), ("first".to_owned(), 1));
    subject.end()
}

// Several parts, and their ends

#[test]
fn a_reload_is_done_when_all_parts_of_the_daemon_are() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 3")?;
    subject.hold_parts(1)?;
    let client = subject.start_reload()?;
    subject.wait_for_state("first", 3);
    // The first part has ended.
    let status = subject.operate("status")?;
    assert!(
        status.contains("is_reloading: true") && status.contains("reloads: 0,"),
        "{status}"
    );
    subject.release()?;
    assert!(rest_of(client)?.starts_with("RELOAD=done\n"));
    assert_eq!(subject.state(), ("first".to_owned(), 3));
    subject.configure("refuse port 0 is not valid")?;
    let refused = subject.operator("reload", 30_000).output()?;
    assert!(
        stderr(&refused).contains("goes on as before: port 0 is not valid"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(subject.state(), ("first".to_owned(), 6));
    let status = subject.operate("status")?;
    assert!(status.contains("port 0 is not valid"), "{status}");
    subject.configure("second")?;
    subject.operate("reload")?;
    assert_eq!(subject.state(), ("second".to_owned(), 9));
    assert!(subject.operate("status")?.contains("reload_refusal: None"));
    subject.end()
}

/// A part that has ended is not waited for, and a panic is a refusal.
#[test]
fn a_part_that_ends_or_panics_does_not_block_reloads() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 1")?;
    subject.configure("panic")?;
    let panicked = subject.operator("reload", 30_000).output()?;
    assert!(
        stderr(&panicked).contains("the reload panicked"),
        "{}",
        stderr(&panicked)
    );
    let gone = subject.operator("reload", 30_000).output()?;
    assert!(
        stderr(&gone).contains("does not take reloads"),
        "{}",
        stderr(&gone)
    );
    subject.hang_up();
    assert_eq!(subject.state(), (String::new(), 1), "it goes on");
    subject.end()?;

    let subject = Subject::start("threads 2")?;
    subject.configure("leave")?;
    subject.operate("reload")?;
    let gone = subject.operator("reload", 30_000).output()?;
    assert!(
        stderr(&gone).contains("does not take reloads"),
        "{}",
        stderr(&gone)
    );
    subject.end()
}

#[test]
fn a_client_learns_that_the_daemon_ends_instead() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 1")?;
    subject.hold()?;
    let under_way = subject.start_reload()?;
    subject.wait_for_state("", 1);
    let waiting = subject.start_reload()?;
    let control = subject.fixture.instance_directory()?.join("control");
    let operator = spawn_piped(&mut subject.operator("reload", 30_000));
    wait_until("the operator waits, too", || {
        connection_count(&control) >= 3
    });
    subject.daemon.signal(Signal::SIGTERM);
    for client in [under_way, waiting] {
        assert_eq!(rest_of(client)?, "PHASE=draining\n\n");
    }
    let output = operator.wait_with_output()?;
    assert!(
        stderr(&output).contains("the daemon is draining"),
        "{}",
        stderr(&output)
    );
    subject.release()?;
    subject.wait_for_end()
}

#[test]
fn a_client_does_not_wait_longer_than_its_deadline() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 1")?;
    subject.hold()?;
    let late = subject.operator("reload", 300).output()?;
    assert!(
        stderr(&late).contains("still reloading after"),
        "{}",
        stderr(&late)
    );
    assert!(subject.operate("status")?.contains("is_reloading: true"));
    subject.release()?;
    subject.wait_for_state("first", 1);
    subject.daemon.signal(Signal::SIGSTOP);
    let stopped = subject.operator("reload", 300).output()?;
    assert!(
        stderr(&stopped).contains("no answer"),
        "{}",
        stderr(&stopped)
    );
    subject.daemon.signal(Signal::SIGCONT);
    subject.end()
}

/// The daemon of a unit test gets no requests, and its waits end with it.
#[test]
fn a_wait_in_a_unit_test_ends_with_its_daemon() -> TestResult {
    let bound = brokered_runtime::testing::bound(daemon_tests::RELOAD_DAEMON)?;
    let handle = bound.handle();
    let mut reloads = handle.reloads();
    assert!(reloads.try_next().is_none());
    let waiting = thread::spawn({
        let mut reloads = reloads.clone();
        move || reloads.wait().is_none()
    });
    handle.stop();
    assert!(waiting.join().map_err(|_| "the thread panicked")?);
    assert!(reloads.wait().is_none());
    Ok(())
}

/// A daemon of a version without reloads: it answers as it did then.
#[test]
fn an_older_daemon_is_recognised() -> TestResult {
    let fixture = Fixture::new()?;
    let program = env!("CARGO_BIN_EXE_single-instance-daemon");
    let _daemon = fixture.start(fixture.command_without_instance(program))?;
    let control = fixture.instance_directory()?.join("control");
    wait_until("the control endpoint exists", || control.exists());
    fs::remove_file(&control)?;
    let listener = UnixListener::bind(&control)?;
    let old = thread::spawn(move || -> std::io::Result<String> {
        let (mut client, _) = listener.accept()?;
        let mut request = [0; 7];
        client.read_exact(&mut request)?;
        client.write_all(
            b"ERROR=unknown request \"reload\"; the requests are `status`, `wait ready`, `stop`\n\n",
        )?;
        Ok(String::from_utf8_lossy(&request).into_owned())
    });
    let mut operator = fixture.command_without_instance(TEST_OPERATOR);
    let output = operator.args(["reload", "30000"]).output()?;
    let message = stderr(&output);
    assert!(
        message.contains("the daemon is older than this program"),
        "{message}"
    );
    assert_eq!(old.join().map_err(|_| "the thread panicked")??, "reload\n");
    Ok(())
}

// Under a service manager

/// The next notifications, until one contains a text.
fn receive_until(listener: &UnixDatagram, text: &str) -> Result<Vec<String>, Box<dyn Error>> {
    listener.set_read_timeout(Some(TIMEOUT))?;
    let mut received: Vec<String> = Vec::new();
    let mut buffer = [0; 4096];
    while !received.last().is_some_and(|last| last.contains(text)) {
        let length = listener.recv(&mut buffer)?;
        received.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    Ok(received)
}

/// Starts a daemon as `Type=notify-reload` does, and returns the socket with its notifications from then on.
fn start_notifying(
    fixture: &Fixture,
    mut command: Command,
) -> Result<(ChildProcess, UnixDatagram), Box<dyn Error>> {
    let path = fixture.path().join("notify");
    let listener = UnixDatagram::bind(&path)?;
    command.env("NOTIFY_SOCKET", &path);
    let daemon = fixture.start(command)?;
    fixture.wait_for_phase("ready");
    receive_until(&listener, "READY=1")?;
    Ok((daemon, listener))
}

/// The monotonic clock in microseconds. `/proc/uptime` shows it without the time in which the machine slept.
fn monotonic_time() -> u128 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
    Duration::from(now).as_micros()
}

/// What systemd waits for with `Type=notify-reload`: the beginning, with a time after its signal, and then the end.
#[test]
fn a_service_manager_is_notified_of_the_beginning_and_the_end() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let command = Subject::command(&fixture, "threads 1")?;
    let (daemon, listener) = start_notifying(&fixture, command)?;
    let subject = Subject { fixture, daemon };
    for (configuration, status) in [
        ("second", "STATUS=ready"),
        (
            "refuse no\nsuch port",
            "STATUS=reload refused: no such port",
        ),
        ("third", "STATUS=ready"),
    ] {
        subject.configure(configuration)?;
        subject.hold()?;
        let before = monotonic_time();
        subject.hang_up();
        let began = receive_until(&listener, "RELOADING=1")?;
        let [began] = began.as_slice() else {
            panic!("other notifications: {began:?}");
        };
        let at = began
            .lines()
            .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        let at: u128 = at.ok_or("no time")?.parse()?;
        assert!((before..=monotonic_time()).contains(&at), "{began}");
        listener.set_read_timeout(Some(Duration::from_millis(100)))?;
        assert!(listener.recv(&mut [0; 64]).is_err(), "it is under way");
        subject.release()?;
        let ended = receive_until(&listener, "READY=1")?;
        assert_eq!(ended, [format!("READY=1\n{status}")]);
    }
    // The second one begins after the first one has ended.
    subject.hold()?;
    subject.hang_up();
    receive_until(&listener, "RELOADING=1")?;
    subject.hang_up();
    subject.release()?;
    let rest = receive_until(&listener, "RELOADING=1")?;
    assert!(rest[0].starts_with("READY=1\n"), "{rest:?}");
    assert_eq!(rest.len(), 2, "{rest:?}");
    receive_until(&listener, "READY=1")?;
    subject.end()?;
    let rest = receive_until(&listener, "STOPPING=1")?;
    assert_eq!(rest.len(), 1, "{rest:?}");
    Ok(())
}

/// systemd waits for both notifications, even of a daemon that does nothing at a reload.
#[test]
fn a_daemon_that_does_not_take_reloads_does_not_keep_the_service_manager_waiting() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut command = fixture.command(SETSID);
    command.args(WITH_SIGHUP).arg(TEST_DAEMON);
    let (daemon, listener) = start_notifying(&fixture, command)?;
    daemon.signal(Signal::SIGHUP);
    let received = receive_until(&listener, "READY=1")?;
    assert_eq!(received.len(), 2, "{received:?}");
    assert!(received[0].starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(received[1].contains("does not take reloads"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}

/// A daemon that is not ready must not report `READY=1`, which would also end its start.
#[test]
fn a_reload_does_not_report_readiness_too_early() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let (fifo, path) = (fixture.path().join("fifo"), fixture.path().join("notify"));
    make_fifo(&fifo)?;
    let listener = UnixDatagram::bind(&path)?;
    let mut command = Subject::command(&fixture, "threads 1")?;
    command.env(LOAD_FIFO, &fifo).env("NOTIFY_SOCKET", &path);
    let daemon = fixture.start(command)?;
    let subject = Subject { fixture, daemon };
    subject.fixture.wait_for_phase("loading");
    subject.hang_up();
    // The supervisor thread has handled the signal when it answers.
    subject.operate("status")?;
    listener.set_nonblocking(true)?;
    let mut buffer = [0; 4096];
    while let Ok(length) = listener.recv(&mut buffer) {
        let received = String::from_utf8_lossy(&buffer[..length]);
        assert!(
            !received.contains("READY=1") && !received.contains("RELOADING=1"),
            "{received}"
        );
    }
    listener.set_nonblocking(false)?;
    drop(open_fifo_for_writing(&fifo)?);
    let received = receive_until(&listener, "RELOADING=1")?;
    assert!(received[0].starts_with("READY=1"), "{received:?}");
    receive_until(&listener, "READY=1")?;
    subject.end()
}

// The operator's tool

#[test]
fn the_tool_reports_each_result_with_its_exit_code() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 1")?;
    let fixture = &subject.fixture;
    let done = fixture.brokered(&["reload", "reload"]).success();
    assert!(done.starts_with("reload has reloaded in "), "{done}");
    let json = fixture.brokered_json(&["reload", "reload"]);
    assert_eq!(
        (&json["name"], &json["reloaded"]),
        (&"reload".into(), &true.into())
    );
    assert!(json["seconds"].is_f64(), "{json}");
    let status = fixture.brokered(&["status", "reload"]).success();
    assert!(
        status
            .lines()
            .any(|line| line.starts_with("reloads") && line.ends_with(" 2")),
        "{status}"
    );

    subject.configure("refuse port 0 is not valid")?;
    let refused = fixture.brokered(&["reload", "reload"]).failure(7);
    assert!(refused.contains("port 0 is not valid"), "{refused}");
    let json = fixture.brokered_json(&["reload", "reload"]);
    assert_eq!(json["code"], 7, "{json}");
    let json = fixture.brokered_json(&["status", "reload"]);
    assert_eq!(json["reloads"], 4, "{json}");
    assert_eq!(json["reloading"], false, "{json}");
    assert_eq!(json["reload_refused"], "port 0 is not valid", "{json}");

    subject.hold()?;
    fixture
        .brokered(&["reload", "reload", "--timeout", "300ms"])
        .failure(5);
    subject.release()?;
    subject.daemon.signal(Signal::SIGSTOP);
    fixture
        .brokered(&["reload", "reload", "--timeout", "300ms"])
        .failure(4);
    subject.daemon.signal(Signal::SIGCONT);
    let directory = fixture.instance_directory()?;
    let directory = directory.to_str().ok_or("not text")?.to_owned();
    let fixture = subject.fixture;
    subject.daemon.signal(Signal::SIGTERM);
    subject.daemon.wait_with_output()?;
    fixture.brokered(&["reload", &directory]).failure(3);
    fixture.brokered(&["reload", "absent"]).failure(3);

    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let not_taken = fixture.brokered(&["reload", "test-daemon"]).failure(6);
    assert!(not_taken.contains("does not take reloads"), "{not_taken}");
    Ok(())
}

/// A hand-written backend has no control endpoint. No signal is sent to it instead: it would end.
#[test]
fn a_backend_is_not_signalled() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command_without_instance(BACKEND);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut backend = ChildProcess(command.spawn()?);
    wait_until("the backend is bound", || {
        fixture.record_value("PID").is_ok()
    });
    let output = fixture.brokered(&["reload", "backend"]);
    let message = output.failure(1);
    assert!(message.contains("no control endpoint"), "{message}");
    assert!(backend.0.try_wait()?.is_none(), "it runs");
    Ok(())
}

/// What `systemctl reload` runs, and what it gets.
#[test]
fn the_unit_for_systemd_reloads_with_the_tool() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 1")?;
    let fixture = &subject.fixture;
    let unit = fixture
        .brokered(&["unit", "systemd", "reload", "-p", RELOAD_DAEMON])
        .success();
    let command = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecReload="))
        .ok_or("no ExecReload=")?;
    let (program, arguments) = command.split_once(' ').ok_or("no arguments")?;
    assert!(PathBuf::from(program).is_absolute(), "{command}");
    // Without the variables of a login: the unit names the directory of the instance.
    let reload = || -> Result<ToolOutput, Box<dyn Error>> {
        let mut tool = Command::new(program);
        tool.args(arguments.split(' ')).env_clear();
        Ok(ToolOutput::of(&tool.output()?))
    };
    reload()?.success();
    assert_eq!(subject.state(), ("first".to_owned(), 1));
    subject.configure("refuse no")?;
    reload()?.failure(7);
    subject.end()
}

/// Requests of any kind, in any order, while the daemon reloads: none is lost, and none is answered twice.
#[test]
fn each_of_many_clients_gets_its_result() -> TestResult {
    if !has_requirements(&[SETSID]) {
        return Ok(());
    }
    let subject = Subject::start("threads 2")?;
    let control = subject.fixture.instance_directory()?.join("control");
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let control = control.clone();
            thread::spawn(move || -> std::io::Result<String> {
                let mut replies = String::new();
                for _ in 0..20 {
                    let mut client = UnixStream::connect(&control)?;
                    client.set_read_timeout(Some(TIMEOUT))?;
                    client.write_all(b"reload\n")?;
                    client.read_to_string(&mut replies)?;
                }
                Ok(replies)
            })
        })
        .collect();
    for _ in 0..50 {
        subject.hang_up();
    }
    for client in clients {
        let replies = client.join().map_err(|_| "a client panicked")??;
        assert_eq!(replies.matches("RELOAD=done\n").count(), 20, "{replies}");
        assert_eq!(replies.matches("RELOAD").count(), 40, "{replies}");
    }
    subject.configure("last")?;
    subject.operate("reload")?;
    assert_eq!(subject.state().0, "last");
    subject.end()
}
