//! The control endpoint: it answers while all workers are busy, and despite malformed requests and floods.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    BACKEND, ChildProcess, Fixture, ROOT, Signal, TEST_DAEMON, TIMEOUT, TestResult, as_user_nobody,
    chown, connection_count, has_requirements, is_signal_pending, make_fifo, read_line,
    signal_process, status_number, stderr, stdout, wait_until,
};

const TEST_OPERATOR: &str = env!("CARGO_BIN_EXE_test-operator");
const BACKGROUND_LOAD_DAEMON: &str = env!("CARGO_BIN_EXE_background-load-daemon");

trait Control {
    /// The path of the control endpoint.
    fn control(&self) -> Result<PathBuf, Box<dyn Error>>;
    /// Connects to the control endpoint, once it exists.
    fn connect_control(&self) -> Result<UnixStream, Box<dyn Error>>;
    /// Sends a request, and returns the whole reply.
    fn control_request(&self, line: &[u8]) -> Result<String, Box<dyn Error>>;
    /// A value of the reply to `status`.
    fn status(&self, key: &str) -> Result<String, Box<dyn Error>>;
    /// An operator that runs a command for the test daemon, with a deadline.
    fn operate(&self, command: &str, deadline_ms: u64) -> Command;
    /// An operator that runs a command for a daemon with a single instance.
    fn operate_single(&self, daemon: &str, command: &str) -> Command;
}

impl Control for Fixture {
    fn control(&self) -> Result<PathBuf, Box<dyn Error>> {
        Ok(self.instance_directory()?.join("control"))
    }

    fn connect_control(&self) -> Result<UnixStream, Box<dyn Error>> {
        let control = self.control()?;
        let mut stream = None;
        wait_until("the control endpoint accepts a connection", || {
            stream = UnixStream::connect(&control).ok();
            stream.is_some()
        });
        let stream = stream.ok_or("no connection")?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    fn control_request(&self, line: &[u8]) -> Result<String, Box<dyn Error>> {
        let mut stream = self.connect_control()?;
        // The daemon may reply and hang up before it has read everything.
        let _ = stream.write_all(line);
        Ok(read_to_end(&mut stream))
    }

    fn status(&self, key: &str) -> Result<String, Box<dyn Error>> {
        let status = self.control_request(b"status\n")?;
        let value = status
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned());
        value.ok_or_else(|| format!("no {key} in {status}").into())
    }

    fn operate(&self, command: &str, deadline_ms: u64) -> Command {
        let mut operator = self.command(TEST_OPERATOR);
        operator
            .args([command, &deadline_ms.to_string()])
            .arg(self.project_directory());
        operator
    }

    fn operate_single(&self, daemon: &str, command: &str) -> Command {
        let mut operator = self.command_without_instance(TEST_OPERATOR);
        operator
            .args([command, "15000"])
            .env("TEST_OPERATOR_DAEMON", daemon);
        operator
    }
}

/// Reads until the stream ends or the connection is reset.
fn read_to_end(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Starts a daemon that loads a state in the background, from the fifo that is returned.
fn start_background_load(fixture: &Fixture) -> Result<(ChildProcess, PathBuf), Box<dyn Error>> {
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = fixture.command_without_instance(BACKGROUND_LOAD_DAEMON);
    command.env(daemon_tests::LOAD_FIFO, &fifo);
    Ok((fixture.start(command)?, fifo))
}

// Requests

#[test]
fn status_answers_while_every_worker_is_busy() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.arg("2");
    let daemon = fixture.start(command)?;
    let mut held = [fixture.send("stuck")?, fixture.send("stuck")?];
    for held in &mut held {
        assert_eq!(read_line(held)?, "stuck");
    }
    let status = fixture.control_request(b"status\n")?;
    assert!(
        status.ends_with("\n\n"),
        "an empty line ends the reply: {status}"
    );
    assert_eq!(fixture.status("PID")?, daemon.pid().to_string());
    assert_eq!(fixture.status("PHASE")?, "ready");
    assert_eq!(fixture.status("OPEN")?, "2");
    assert_eq!(fixture.status("LOAD_1")?, "Loaded");
    let output = fixture.operate("status", 5000).output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("phase: Ready"),
        "{}",
        stdout(&output)
    );
    Ok(())
}

#[test]
fn served_connections_panics_and_errors_are_counted() -> TestResult {
    let fixture = Fixture::new()?;
    let _daemon = fixture.start_daemon()?;
    for request in ["panic", "error", "pid"] {
        read_to_end(fixture.send(request)?.get_mut());
    }
    // The fixture has made the first connection, which may be counted late.
    wait_until("the connections are counted", || {
        fixture.status("SERVED").is_ok_and(|served| served == "4")
    });
    assert_eq!(fixture.status("PANICS")?, "1");
    assert_eq!(fixture.status("ERRORS")?, "1");
    assert!(
        fixture
            .status("LAST_ERROR")?
            .contains("a client requested this")
    );
    Ok(())
}

#[test]
fn a_malformed_request_gets_an_error_and_the_daemon_keeps_running() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    for request in [
        &b"\n"[..],
        b"foo\n",
        b"status status\n",
        b"\0\0\0\n",
        b"\xff\xfe\n",
        b"STATUS\n",
    ] {
        let answer = fixture.control_request(request)?;
        assert!(answer.starts_with("ERROR=unknown request"), "{answer}");
        assert!(answer.ends_with("\n\n"), "{answer}");
        assert_eq!(answer.lines().count(), 2, "the error is one line: {answer}");
    }
    let long = fixture.control_request(&vec![b'x'; 5000])?;
    assert!(long.starts_with("ERROR=a request has at most"), "{long}");
    let mut half = fixture.connect_control()?;
    half.write_all(b"stat")?;
    half.shutdown(Shutdown::Write)?;
    assert!(read_to_end(&mut half).starts_with("ERROR=the request does not end with a newline"));
    assert_eq!(fixture.status("PID")?, daemon.pid().to_string());
    Ok(())
}

#[test]
fn a_peer_without_a_complete_request_is_disconnected_after_a_second() -> TestResult {
    let fixture = Fixture::new()?;
    let _daemon = fixture.start_daemon()?;
    let mut silent = fixture.connect_control()?;
    let mut half = fixture.connect_control()?;
    half.write_all(b"stat")?;
    let began = Instant::now();
    for stream in [&mut silent, &mut half] {
        assert!(read_to_end(stream).starts_with("ERROR=no request came"));
    }
    assert!(began.elapsed() > Duration::from_millis(500));
    assert!(began.elapsed() < Duration::from_secs(10));
    Ok(())
}

/// A client that sends an endless request is disconnected after 4 KiB.
#[test]
fn a_flood_neither_blocks_the_endpoint_nor_grows_its_memory() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fixture.status("PID")?;
    let before = status_number(daemon.pid(), "VmRSS:")?;
    let control = fixture.control()?;
    let flooders: Vec<_> = (0..4)
        .map(|_| {
            let control = control.clone();
            thread::spawn(move || {
                let junk = vec![b'x'; 1 << 16];
                let end = Instant::now() + Duration::from_secs(2);
                let mut silent = Vec::new();
                while Instant::now() < end {
                    if let Ok(mut stream) = UnixStream::connect(&control) {
                        while stream.write_all(&junk).is_ok() {}
                    }
                    // Some clients connect and send nothing.
                    silent.extend(UnixStream::connect(&control));
                    silent.truncate(100);
                }
            })
        })
        .collect();
    let mut answers = 0;
    while flooders.iter().any(|flooder| !flooder.is_finished()) {
        // A client may be asked to try again while so many are connected.
        let Ok(answer) = fixture.control_request(b"status\n") else {
            continue;
        };
        if answer.starts_with("ERROR=too many requests") {
            continue;
        }
        assert!(
            answer.contains(&format!("\nPID={}\n", daemon.pid())),
            "{answer:?}"
        );
        answers += 1;
    }
    assert!(answers > 10, "{answers}");
    for flooder in flooders {
        let _ = flooder.join();
    }
    let grown = status_number(daemon.pid(), "VmRSS:")?.saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB more");
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid()))?.count();
    assert!(open < 100, "{open} descriptors");
    Ok(())
}

#[test]
fn a_foreign_user_is_refused() -> TestResult {
    if !has_requirements(&["setpriv", "socat", ROOT]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    chown(fixture.path(), "65534")?;
    command = as_user_nobody(&command);
    let _daemon = fixture.start(command)?;
    // Root is a foreign user, too.
    let answer = fixture.control_request(b"status\n")?;
    assert!(
        answer.starts_with("ERROR=this daemon answers only its own user"),
        "{answer}"
    );
    let output = fixture.operate("status", 2000).output()?;
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("user 65534"),
        "{}",
        stderr(&output)
    );
    Ok(())
}

// Readiness

#[test]
fn wait_ready_reports_progress_and_readiness() -> TestResult {
    let fixture = Fixture::new()?;
    let (_daemon, fifo) = start_background_load(&fixture)?;
    fixture.wait_for_phase("loading");
    let mut wait = BufReader::new(fixture.connect_control()?);
    wait.get_mut().write_all(b"wait ready\n")?;
    assert_eq!(read_line(&mut wait)?, "PHASE=loading");
    let mut load = OpenOptions::new().write(true).open(&fifo)?;
    writeln!(load, "loading 1 of 2 shards")?;
    assert_eq!(read_line(&mut wait)?, "STATUS=loading 1 of 2 shards");
    assert_eq!(fixture.status("STATUS")?, "loading 1 of 2 shards");
    assert_eq!(fixture.status("LOAD_1")?, "Lines");
    assert_eq!(fixture.status("LOAD_1_IN")?, "background");
    assert!(
        fixture.status("LOAD_1_US").is_err(),
        "the state still loads"
    );
    // Clients are served during the load.
    let mut peek = fixture.send("peek")?;
    assert_eq!(read_line(&mut peek)?, "None");
    let mut get = fixture.send("get")?;
    drop(load);
    assert_eq!(read_line(&mut wait)?, "PHASE=ready");
    assert_eq!(read_line(&mut get)?, "1");
    assert!(fixture.status("LOAD_1_US").is_ok());
    assert!(
        fixture
            .control_request(b"wait ready\n")?
            .starts_with("PHASE=ready")
    );
    Ok(())
}

#[test]
fn a_second_client_waits_while_the_daemon_loads() -> TestResult {
    let fixture = Fixture::new()?;
    let (_daemon, fifo) = start_background_load(&fixture)?;
    let spawn_operator = |command| {
        fixture
            .operate_single("background-load", command)
            .env("TEST_OPERATOR_PROGRAM", BACKGROUND_LOAD_DAEMON)
            .stdout(Stdio::piped())
            .spawn()
    };
    let mut clients = [spawn_operator("wait")?, spawn_operator("start")?];
    let mut load = OpenOptions::new().write(true).open(&fifo)?;
    writeln!(load, "one")?;
    let control = fixture.control()?;
    wait_until("both clients wait", || connection_count(&control) >= 2);
    for client in &mut clients {
        assert!(client.try_wait()?.is_none(), "the client waits");
    }
    drop(load);
    let message: Vec<String> = clients
        .into_iter()
        .map(|client| Ok(stdout(&client.wait_with_output()?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    assert!(message[0].ends_with("ready\n"), "{message:?}");
    assert_eq!(message[1], "connected\n");
    Ok(())
}

#[test]
fn a_failed_background_load_ends_the_daemon_and_is_reported_to_all_clients() -> TestResult {
    for (command, reason) in [
        ("fail", "loading Lines failed: No such file"),
        ("panic", "loading Lines panicked: the fifo said so"),
    ] {
        let fixture = Fixture::new()?;
        let (daemon, fifo) = start_background_load(&fixture)?;
        let wait = fixture
            .operate_single("background-load", "wait")
            .stderr(Stdio::piped())
            .spawn()?;
        fixture.wait_for_phase("loading");
        let control = fixture.control()?;
        wait_until("the operator waits", || connection_count(&control) >= 1);
        // Open connections have a second to end. The fixture has made one of the two.
        let mut get = fixture.send("get")?;
        wait_until("both connections are open", || {
            fixture.status("OPEN").is_ok_and(|open| open == "2")
        });
        writeln!(OpenOptions::new().write(true).open(&fifo)?, "{command}")?;
        let began = Instant::now();
        let ended = daemon.wait_with_output()?;
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(ended.status.code(), Some(70), "{}", stderr(&ended));
        assert!(stderr(&ended).contains(reason), "{}", stderr(&ended));
        assert_eq!(fixture.record_value("PHASE")?, "failed");
        assert!(fixture.record_value("FAILURE")?.contains(reason));
        assert_eq!(read_to_end(get.get_mut()), "");
        let waited = wait.wait_with_output()?;
        assert!(!waited.status.success());
        assert!(stderr(&waited).contains(reason), "{}", stderr(&waited));
    }
    Ok(())
}

#[test]
fn wait_ready_reports_a_panic_in_main() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = fixture.command(TEST_DAEMON);
    command
        .env(daemon_tests::LOAD_FIFO, &fifo)
        .env(daemon_tests::MAIN_RESULT, "panic");
    let daemon = fixture.start(command)?;
    let mut wait = fixture.connect_control()?;
    wait.write_all(b"wait ready\n")?;
    drop(fs::File::create(&fifo)?);
    let reply = read_to_end(&mut wait);
    assert!(
        reply.contains("FAILED=main panicked: the test requested this panic"),
        "{reply}"
    );
    assert!(reply.contains("PHASE=failed"), "{reply}");
    daemon.wait_with_output()?;
    assert!(
        fixture
            .record_value("FAILURE")?
            .contains("the test requested this panic")
    );
    Ok(())
}

// Stop

#[test]
fn stop_returns_after_the_daemon_has_ended() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    // Two stops at once, while a client is served.
    let mut held = fixture.send("hold")?;
    assert_eq!(read_line(&mut held)?, "holding");
    let stops: Vec<_> = (0..2)
        .map(|_| {
            fixture
                .operate("stop", 15000)
                .stdout(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    for stop in stops {
        let output = stop.wait_with_output()?;
        assert_eq!(stdout(&output), "Ended\n", "{}", stderr(&output));
        assert!(
            fixture.is_lock_free()?,
            "the lock is free when `stop` returns"
        );
    }
    assert_eq!(
        read_line(&mut held)?,
        "held",
        "the open connection was served"
    );
    let ended = daemon.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(!fixture.control()?.exists(), "the control endpoint is gone");
    let again = fixture.operate("stop", 15000).output()?;
    assert_eq!(stdout(&again), "WasNotRunning\n");
    let status = fixture.operate("status", 15000).output()?;
    assert!(
        stderr(&status).contains("not running"),
        "{}",
        stderr(&status)
    );
    Ok(())
}

#[test]
fn a_stop_that_cannot_wait_for_the_end_is_an_error() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let mut held = fixture.send("stuck")?;
    assert_eq!(read_line(&mut held)?, "stuck");
    // As many clients as may wait for the end at once.
    let mut others = Vec::new();
    for _ in 0..256 {
        let mut other = fixture.connect_control()?;
        other.write_all(b"stop\n")?;
        let mut other = BufReader::new(other);
        assert_eq!(read_line(&mut other)?, "PHASE=draining");
        others.push(other);
    }
    let output = fixture.operate("stop", 5000).output()?;
    let message = stderr(&output);
    assert!(
        message.contains("too many requests"),
        "{message}{}",
        stdout(&output)
    );
    assert!(
        fixture.daemon_pids().contains(&daemon.pid()),
        "the daemon still runs"
    );
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can distinguish a process from a later one with the same PID"
)]
fn a_daemon_that_does_not_answer_is_named_and_signalled() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fixture.status("PID")?;
    daemon.signal(Signal::SIGSTOP);
    let output = fixture.operate("status", 300).output()?;
    let message = stderr(&output);
    assert!(
        message.contains(&format!("process {}", daemon.pid())),
        "{message}"
    );
    let stop = fixture
        .operate("stop", 15000)
        .stdout(Stdio::piped())
        .spawn()?;
    // A stopped process handles the signal only once it is continued.
    wait_until("the signal is pending", || {
        is_signal_pending(daemon.pid(), Signal::SIGTERM)
    });
    daemon.signal(Signal::SIGCONT);
    let stopped = stop.wait_with_output()?;
    assert_eq!(stdout(&stopped), "Signalled\n", "{}", stderr(&stopped));
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}

/// The test holds the lock and does not reply. The record names another process.
#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can distinguish a process from a later one with the same PID"
)]
fn only_the_recorded_daemon_is_signalled() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    let instance = fixture.instance_directory()?;
    let lock = fs::File::open(&instance)?;
    lock.lock()?;
    let bystander = ChildProcess(Command::new("sleep").arg("60").spawn()?);
    let text = |pid: u32, since: u64| {
        format!(
            "FORMAT=1\nNAME=test-daemon\nCONTRACT=1\nENDPOINT=/x\nPID={pid}\nPHASE=ready\nOWNER=hand\n\
             STARTED=1700000000.000000\nSTARTED_AFTER_BOOT_US={since}\n"
        )
    };
    let cases = [
        // A process that is younger than the record.
        (text(bystander.pid(), 1), "began after"),
        // A process that is old enough, but does not have the directory open.
        (text(bystander.pid(), u64::MAX / 2), "does not hold"),
        (text(0, u64::MAX / 2), "cannot be reached"),
        (text(u32::MAX, u64::MAX / 2), "cannot be reached"),
        (
            text(bystander.pid(), 1).replace("STARTED_AFTER_BOOT_US=1\n", ""),
            "does not say when",
        ),
    ];
    for (record, reason) in cases {
        fs::write(instance.join("record"), record)?;
        let stop = fixture.operate("stop", 300).output()?;
        assert!(!stop.status.success());
        assert!(
            stderr(&stop).contains(reason),
            "{reason}: {}",
            stderr(&stop)
        );
        assert!(
            fs::read_to_string(format!("/proc/{}/stat", bystander.pid()))?.contains("(sleep) S"),
            "the bystander still runs"
        );
    }
    // Corrupt records.
    for junk in [&b""[..], b"\0\0\0", b"\xff\xff", &vec![b'A'; 1 << 20]] {
        fs::write(instance.join("record"), junk)?;
        let stop = fixture.operate("stop", 300).output()?;
        assert!(
            stderr(&stop).contains("has not written its record yet"),
            "{}",
            stderr(&stop)
        );
    }
    Ok(())
}

// Other programs and stale files

/// The operator limits what it reads from a program that is not the daemon.
#[test]
fn a_malformed_or_endless_reply_is_an_error() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    let listener = UnixListener::bind(fixture.control()?)?;
    let impostor = thread::spawn(move || -> std::io::Result<()> {
        for reply in [&b"\n"[..], b"PID=x\n\n", b"\xff\0\n\n"] {
            listener.accept()?.0.write_all(reply)?;
        }
        let mut endless = listener.accept()?.0;
        let junk = vec![b'x'; 1 << 16];
        while endless.write_all(&junk).is_ok() {}
        Ok(())
    });
    for _ in 0..3 {
        let output = fixture.operate("status", 2000).output()?;
        assert!(
            stderr(&output).contains("not a status"),
            "{}",
            stderr(&output)
        );
    }
    let output = fixture.operate("status", 5000).output()?;
    assert!(
        stderr(&output).contains("a line of more than"),
        "{}",
        stderr(&output)
    );
    let _ = impostor.join();
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can distinguish a process from a later one with the same PID"
)]
fn a_handwritten_backend_has_no_control_endpoint() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start(fixture.command_without_instance(BACKEND))?;
    let output = fixture.operate_single("backend", "status").output()?;
    assert!(
        stderr(&output).contains("hand-written backend"),
        "{}",
        stderr(&output)
    );
    let stopped: Output = fixture.operate_single("backend", "stop").output()?;
    assert_eq!(stdout(&stopped), "Signalled\n", "{}", stderr(&stopped));
    drop(daemon);
    Ok(())
}

#[test]
fn a_stale_control_endpoint_means_not_running_and_is_replaced() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fixture.status("PID")?;
    signal_process(daemon.pid(), Signal::SIGKILL);
    daemon.wait_with_output()?;
    assert!(fixture.control()?.exists());
    let output = fixture.operate("status", 2000).output()?;
    assert!(
        stderr(&output).contains("not running"),
        "{}",
        stderr(&output)
    );
    let daemon = fixture.start_daemon()?;
    assert_eq!(fixture.status("PID")?, daemon.pid().to_string());
    Ok(())
}
