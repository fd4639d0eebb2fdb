//! Serving: a failure in one connection leaves the others alone, and shutdown is graceful.

#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, Signal, TEST_DAEMON, TestResult, has_requirements, read_line, stderr,
    stdout, wait_until,
};

#[test]
fn a_thousand_disconnecting_clients_do_not_end_the_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let socket = fixture.socket()?;
    for round in 0..1000 {
        let mut stream = UnixStream::connect(&socket)?;
        // Half of the clients hang up before their request, half before the reply.
        if round % 2 == 0 {
            writeln!(stream, "x")?;
        }
    }
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        daemon.pid().to_string()
    );
    Ok(())
}

#[test]
fn a_panic_or_an_error_in_a_handler_closes_only_its_connection() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let mut other = fixture.send("hold")?;
    assert_eq!(read_line(&mut other)?, "holding");
    for request in ["panic", "error"] {
        let mut failing = fixture.send(request)?;
        let mut reply = String::new();
        failing.read_to_string(&mut reply)?;
        assert_eq!(reply, "", "the connection is closed");
    }
    other.get_ref().shutdown(Shutdown::Write)?;
    assert_eq!(read_line(&mut other)?, "held");
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        daemon.pid().to_string()
    );
    daemon.signal(Signal::SIGTERM);
    let message = stderr(&daemon.wait_with_output()?);
    assert!(
        message.contains("a client requested this error"),
        "{message}"
    );
    assert!(
        message.contains("a client requested this panic"),
        "{message}"
    );
    Ok(())
}

#[test]
fn each_connection_is_a_span_and_each_phase_an_event() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.env(daemon_tests::PRINT_TRACES, "");
    let daemon = fixture.start(command)?;
    for _ in 0..3 {
        assert_eq!(
            read_line(&mut fixture.send("pid")?)?,
            daemon.pid().to_string()
        );
    }
    daemon.signal(Signal::SIGTERM);
    let output = daemon.wait_with_output()?;
    let message = stdout(&output);
    let times = |what: &str| message.lines().filter(|line| *line == what).count();
    // The fixture has made one of the connections.
    assert_eq!(times("span connection"), 4, "{message}");
    for once in ["span serve", "span drain", "event ready", "event draining"] {
        assert_eq!(times(once), 1, "{once}: {message}");
    }
    Ok(())
}

#[test]
fn clients_beyond_max_connections_wait_in_the_backlog() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.arg("2");
    let _daemon = fixture.start(command)?;
    let mut first = fixture.send("hold")?;
    let mut second = fixture.send("hold")?;
    assert_eq!(read_line(&mut first)?, "holding");
    assert_eq!(read_line(&mut second)?, "holding");

    let mut third = fixture.send("third")?;
    third
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(100)))?;
    assert!(third.fill_buf().is_err(), "all workers are busy");
    third.get_ref().set_read_timeout(Some(common::TIMEOUT))?;

    drop(first);
    assert_eq!(read_line(&mut third)?, "third");
    Ok(())
}

#[test]
fn sigterm_drains_open_connections_and_removes_all_files() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let socket = fixture.socket()?;
    let mut held = fixture.send("hold")?;
    assert_eq!(read_line(&mut held)?, "holding");
    daemon.signal(Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    wait_until("new clients are refused", || {
        UnixStream::connect(&socket).is_err()
    });
    assert!(
        !fixture.is_lock_free()?,
        "the lock is held while clients are served"
    );

    held.get_ref().shutdown(Shutdown::Write)?;
    assert_eq!(read_line(&mut held)?, "held");
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "served\n", "main continues after `serve`");
    assert_all_released(&fixture, &socket)
}

#[test]
fn sigint_and_stop_shut_down_gracefully() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let socket = fixture.socket()?;
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    assert_all_released(&fixture, &socket)?;

    let daemon = fixture.start_daemon()?;
    assert_eq!(read_line(&mut fixture.send("stop")?)?, "stopping");
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "served\n");
    assert_all_released(&fixture, &socket)
}

#[test]
fn a_second_signal_cuts_the_drain_short() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let socket = fixture.socket()?;
    let mut held = fixture.send("stuck")?;
    assert_eq!(read_line(&mut held)?, "stuck");
    daemon.signal(Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    daemon.signal(Signal::SIGTERM);
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("cut short"), "{}", stderr(&output));
    assert_all_released(&fixture, &socket)
}

#[test]
fn a_drain_has_a_deadline() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let mut held = fixture.send("stuck")?;
    assert_eq!(read_line(&mut held)?, "stuck");
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    let output = daemon.wait_with_output()?;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert!(
        stderr(&output).contains("the drain took longer than 10 s"),
        "{}",
        stderr(&output)
    );
    Ok(())
}

#[test]
fn a_signal_during_a_load_takes_effect_after_the_load() -> TestResult {
    let fixture = Fixture::new()?;
    let (daemon, fifo) = fixture.start_loading_daemon()?;
    let socket = fixture.socket()?;
    // The fixture's connections are in the backlog; this one is behind them.
    let mut queued = fixture.send("queued")?;
    daemon.signal(Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    drop(std::fs::File::create(&fifo)?);
    assert_eq!(
        read_line(&mut queued)?,
        "queued",
        "the queued client is served"
    );
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    assert_all_released(&fixture, &socket)
}

#[test]
fn queued_clients_are_served_before_the_daemon_ends() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.arg("1");
    let daemon = fixture.start(command)?;
    let mut held = fixture.send("hold")?;
    assert_eq!(read_line(&mut held)?, "holding");
    let mut queued = Vec::new();
    for number in 0..50 {
        queued.push(fixture.send(&number.to_string())?);
    }
    daemon.signal(Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    drop(held);
    for (number, client) in queued.iter_mut().enumerate() {
        assert_eq!(read_line(client)?, number.to_string());
    }
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}

#[test]
fn clients_connect_and_wait_while_a_state_loads() -> TestResult {
    let fixture = Fixture::new()?;
    let (_daemon, fifo) = fixture.start_loading_daemon()?;
    fixture.wait_for_phase("loading");
    let mut waiting = fixture.send("phase")?;
    drop(std::fs::File::create(&fifo)?);
    assert_eq!(read_line(&mut waiting)?, "ready");
    Ok(())
}

#[test]
fn running_out_of_descriptors_does_not_end_the_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command("sh");
    command.args(["-c", "ulimit -n 24; exec \"$1\"", "sh", TEST_DAEMON]);
    let daemon = fixture.start(command)?;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(fixture.send("hold")?);
    }
    // As many as fit are served; the others wait until a client hangs up.
    assert_eq!(read_line(&mut clients[0])?, "holding");
    let mut last = clients.pop().ok_or("no client")?;
    drop(clients);
    assert_eq!(read_line(&mut last)?, "holding");
    drop(last);
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        daemon.pid().to_string()
    );
    Ok(())
}

#[test]
fn a_signal_is_handled_after_the_supervisor_thread_failed_to_wait() -> TestResult {
    if !has_requirements(&["prlimit"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut daemon = fixture.start_daemon()?;
    let control = fixture.instance_directory()?.join("control");
    wait_until("the control endpoint exists", || control.exists());
    let pid = daemon.pid().to_string();
    let limit = |number: &str| {
        let limit = format!("--nofile={number}:");
        let limited = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(limited.expect("prlimit").success());
    };
    // `poll` fails when it is given more descriptors than the limit.
    limit("0");
    let mut message = BufReader::new(daemon.0.stderr.take().ok_or("no standard error")?);
    let _woken = UnixStream::connect(&control)?;
    let text = read_line(&mut message)?;
    assert!(text.contains("cannot wait for signals"), "{text}");
    daemon.signal(Signal::SIGTERM);
    limit("1024");
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    assert!(fixture.record().is_err() && fixture.is_lock_free()?);
    Ok(())
}

#[test]
fn sigterm_right_after_the_record_is_written_is_graceful() -> TestResult {
    for round in 0..100 {
        let fixture = Fixture::new()?;
        let mut command = fixture.command(TEST_DAEMON);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let daemon = ChildProcess(child);
        wait_until("the record exists", || fixture.record().is_ok());
        daemon.signal(Signal::SIGTERM);
        let output = daemon.wait_with_output()?;
        assert_eq!(
            output.status.code(),
            Some(0),
            "round {round}: {}",
            stderr(&output)
        );
        assert!(fixture.record().is_err(), "round {round}");
    }
    Ok(())
}

#[test]
fn a_stop_and_one_signal_do_not_cut_the_drain_short() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let mut held = fixture.send("hold")?;
    assert_eq!(read_line(&mut held)?, "holding");
    assert_eq!(read_line(&mut fixture.send("stop")?)?, "stopping");
    daemon.signal(Signal::SIGTERM);
    // A client that keeps sending is not a quiet connection.
    held.get_ref()
        .set_read_timeout(Some(Duration::from_millis(20)))?;
    for _ in 0..20 {
        held.get_ref().write_all(b"more")?;
        assert!(held.fill_buf().is_err(), "the connection stays open");
    }
    held.get_ref().shutdown(Shutdown::Write)?;
    held.get_ref().set_read_timeout(Some(common::TIMEOUT))?;
    assert_eq!(read_line(&mut held)?, "held");
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}

/// Standard error is a full device, a closed descriptor, or a pipe without a reader.
#[test]
fn an_unwritable_standard_error_does_not_disturb_the_daemon() -> TestResult {
    for redirection in ["2>/dev/full", "2>&-", "2> >(exec true)"] {
        let fixture = Fixture::new()?;
        let mut command = fixture.command("bash");
        command.args(["-c", &format!("exec \"$0\" 2 {redirection}"), TEST_DAEMON]);
        let daemon = fixture.start(command)?;
        for request in ["error", "error", "panic", "panic-on-drop", "error"] {
            let mut reply = String::new();
            fixture.send(request)?.read_to_string(&mut reply)?;
            assert_eq!(reply, "", "{redirection}: {request}");
        }
        let mut held = fixture.send("hold")?;
        assert_eq!(read_line(&mut held)?, "holding", "{redirection}");
        daemon.signal(Signal::SIGTERM);
        fixture.wait_for_phase("draining");
        daemon.signal(Signal::SIGTERM);
        assert_eq!(
            daemon.wait_with_output()?.status.code(),
            Some(0),
            "{redirection}"
        );
        assert!(fixture.is_lock_free()?);

        let mut command = fixture.command("bash");
        let failed = command
            .args(["-c", &format!("exec \"$0\" {redirection}"), TEST_DAEMON])
            .env(daemon_tests::LOAD_ERROR, "no such shard")
            .status()?;
        assert_eq!(failed.code(), Some(70), "{redirection}");
        assert_eq!(fixture.record_value("PHASE")?, "failed", "{redirection}");
    }
    Ok(())
}

#[test]
fn a_connection_guard_dropped_as_main_returns_does_not_delay_the_exit() -> TestResult {
    let fixture = Fixture::new()?;
    for microseconds in (0..60).step_by(2) {
        let began = Instant::now();
        let ended = fixture
            .command(TEST_DAEMON)
            .env(daemon_tests::MAIN_RESULT, format!("guard {microseconds}"))
            .output()?;
        assert_eq!(ended.status.code(), Some(1), "{}", stderr(&ended));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{microseconds} µs: {took:?}");
    }
    Ok(())
}

#[test]
fn a_connection_guard_that_is_kept_changes_neither_exit_code_nor_failure() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.env(daemon_tests::MAIN_RESULT, "guard 3600000000");
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let daemon = ChildProcess(child);
    fixture.wait_for_phase("draining");
    daemon.signal(Signal::SIGTERM);
    daemon.signal(Signal::SIGTERM);
    // The kernel may merge the two signals; then the deadline ends the drain.
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(1));
    assert!(fixture.is_lock_free()?);
    // The record keeps the failure of `main`, although the drain was cut short.
    assert_eq!(fixture.record_value("PHASE")?, "failed");
    assert!(!fixture.record_value("FAILURE")?.is_empty());
    Ok(())
}

/// Asserts that the daemon has removed its files and released its lock.
fn assert_all_released(fixture: &Fixture, socket: &Path) -> TestResult {
    assert!(!socket.exists(), "the socket is gone");
    assert!(fixture.record().is_err(), "the record is gone");
    assert!(fixture.is_lock_free()?, "the lock is free");
    Ok(())
}
