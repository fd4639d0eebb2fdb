//! Failed launches: the error that clients get, the start limit, hung daemons, and the launch that follows.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use common::{
    Fixture, Signal, TestResult, connection_count, copy_executable, make_fifo,
    open_fifo_for_writing, read_line, signal_process, stderr, stdout, wait_until,
};

/// A client that launches a daemon whose load fails.
fn launch_failing_daemon(
    fixture: &Fixture,
    error: &str,
) -> Result<Output, Box<dyn std::error::Error>> {
    let mut command = fixture.client_command("pid");
    command
        .env(daemon_tests::LOAD_ERROR, error)
        .env("TEST_CLIENT_WAIT", "ready");
    Ok(command.output()?)
}

// The start limit

#[test]
fn the_start_limit_ends_a_crash_loop() -> TestResult {
    let fixture = Fixture::new()?;
    for attempt in 0..5 {
        let message = stderr(&launch_failing_daemon(&fixture, "no such shard")?);
        assert!(
            message.contains("ended during its start-up"),
            "{attempt}: {message}"
        );
    }
    let message = stderr(&launch_failing_daemon(&fixture, "no such shard")?);
    assert!(message.contains("started 5 times within 30 s"), "{message}");
    assert!(message.contains("is not started again for"), "{message}");
    assert!(
        message.contains("no such shard"),
        "the last failure is included: {message}"
    );
    assert!(message.contains("exit status: 70"), "{message}");
    assert!(fixture.daemon_pids().is_empty());
    // The limit does not apply to a start by hand, and a clean end clears the start history.
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait_with_output()?.status.success());
    assert!(fixture.request("pid").is_ok());
    Ok(())
}

#[test]
fn a_missing_executable_does_not_count_as_a_start() -> TestResult {
    let fixture = Fixture::new()?;
    let missing = fixture.path().join("missing");
    for _ in 0..8 {
        let message = stderr(&fixture.client_command_for(&missing, "pid").output()?);
        assert!(message.contains("tried"), "{message}");
    }
    assert!(fixture.request("pid").is_ok());
    Ok(())
}

#[test]
fn a_corrupt_start_history_refuses_no_launch() -> TestResult {
    let long = "9".repeat(100_000);
    for corrupt in [&b"\0\xff\0\n"[..], long.as_bytes(), b"1 2 3\n999"] {
        let fixture = Fixture::new()?;
        let daemon = fixture.start_daemon()?;
        daemon.signal(Signal::SIGTERM);
        daemon.wait_with_output()?;
        fs::write(fixture.instance_directory()?.join("starts"), corrupt)?;
        fixture.request("pid")?;
    }
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    fs::create_dir(fixture.instance_directory()?.join("starts"))?;
    fixture.request("pid")?;
    Ok(())
}

#[test]
fn the_start_limit_can_be_changed() -> TestResult {
    let fixture = Fixture::new()?;
    for _ in 0..7 {
        let mut command = fixture.client_command("pid");
        let output = command.env("TEST_CLIENT_START_LIMIT", "20").output()?;
        let pid = stdout(&output).trim_end().parse()?;
        signal_process(pid, Signal::SIGKILL);
        wait_until("the daemon has ended", || {
            fixture.is_lock_free().unwrap_or(false)
        });
    }
    let mut command = fixture.client_command("pid");
    let message = stderr(&command.env("TEST_CLIENT_START_LIMIT", "3").output()?);
    assert!(message.contains("started 3 times within 30 s"), "{message}");
    Ok(())
}

// Recorded failures

#[test]
fn queued_clients_of_a_killed_daemon_get_the_reason() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut first = fixture.client_command("pid");
    first
        .env(daemon_tests::LOAD_FIFO, &fifo)
        .stdout(Stdio::piped());
    let first = first.stderr(Stdio::piped()).spawn()?;
    // The daemon loads until the test closes the fifo.
    let load = open_fifo_for_writing(&fifo)?;
    let queued: Vec<_> = (0..4)
        .map(|_| {
            fixture
                .client_command("pid")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    let pid = fixture.record_value("PID")?;
    let socket = fixture.socket()?;
    wait_until("all clients are in the backlog", || {
        connection_count(&socket) >= 5
    });
    signal_process(pid.parse()?, Signal::SIGKILL);
    drop(load);
    for client in queued.into_iter().chain([first]) {
        let message = stderr(&client.wait_with_output()?);
        assert!(
            message.contains(&format!("no reply: test-daemon, process {pid}")),
            "{message}"
        );
        assert!(
            message.contains("ended without reporting a reason"),
            "{message}"
        );
        assert!(message.contains("/log"), "{message}");
    }
    Ok(())
}

#[test]
fn a_launcher_records_the_failure_of_a_daemon_that_wrote_no_record() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=kill")
        .env("BROKERED_FAULT_ONCE", fixture.path().join("once"));
    let message = stderr(&command.output()?);
    assert!(message.contains("signal: 9 (SIGKILL)"), "{message}");
    assert_eq!(fixture.record_value("PHASE")?, "failed");
    assert_eq!(fixture.record_value("EXIT")?, "signal: 9 (SIGKILL)");
    assert!(fixture.is_lock_free()?);
    // The next launch succeeds and replaces the record of the failure.
    let pid = fixture.request("pid")?;
    assert_eq!(fixture.record_value("PID")?, pid);
    Ok(())
}

#[test]
fn a_launcher_records_the_failure_while_others_probe_the_lock() -> TestResult {
    for _ in 0..20 {
        let fixture = Fixture::new()?;
        let reached = fixture.path().join("once");
        let mut command = fixture.client_command("pid");
        command
            .env("BROKERED_FAULT", "daemon:adopted=delay:600000")
            .env("BROKERED_FAULT_ONCE", &reached);
        let client = command.stderr(Stdio::piped()).spawn()?;
        let pid = || fs::read_to_string(&reached).ok()?.parse().ok();
        wait_until("the daemon holds the lock", || pid().is_some());
        // A process that checks for a daemon holds the lock shared for a moment.
        let probe = fs::File::open(fixture.instance_directory()?)?;
        signal_process(pid().ok_or("no daemon")?, Signal::SIGKILL);
        wait_until("the daemon has ended", || probe.try_lock_shared().is_ok());
        std::thread::sleep(std::time::Duration::from_millis(5));
        probe.unlock()?;
        let message = stderr(&client.wait_with_output()?);
        assert!(message.contains("signal: 9 (SIGKILL)"), "{message}");
        assert_eq!(fixture.record_value("PHASE")?, "failed");
        assert_eq!(fixture.record_value("EXIT")?, "signal: 9 (SIGKILL)");
    }
    Ok(())
}

// Hung and slow daemons

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux reports whether a process sleeps"
)]
fn a_hung_daemon_is_killed_and_the_next_one_serves() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=delay:600000")
        .env("BROKERED_FAULT_ONCE", fixture.path().join("once"))
        .env("TEST_CLIENT_DEADLINE_MS", "2500");
    let message = stderr(&command.output()?);
    assert!(message.contains("(it is in `bind`)"), "{message}");
    assert!(message.contains("so it was killed"), "{message}");
    assert!(fixture.daemon_pids().is_empty());
    assert!(fixture.record_value("FAILURE")?.contains("hung"));
    fixture.request("pid")?;
    Ok(())
}

#[test]
fn a_busy_or_stopped_daemon_is_not_killed() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=spin:3000")
        .env("BROKERED_FAULT_ONCE", fixture.path().join("once"))
        .env("TEST_CLIENT_DEADLINE_MS", "2200");
    let message = stderr(&command.output()?);
    assert!(message.contains("it is still running"), "{message}");
    assert!(fixture.request("pid").is_ok(), "the daemon is ready");

    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=delay:1500")
        .env("BROKERED_FAULT_ONCE", fixture.path().join("once"))
        .env("TEST_CLIENT_DEADLINE_MS", "2200")
        .stderr(Stdio::piped());
    let client = command.spawn()?;
    wait_until("the daemon has reached the fault point", || {
        fixture.path().join("once").exists()
    });
    let stopped = fixture.daemon_pids();
    assert_eq!(stopped.len(), 1);
    signal_process(stopped[0], Signal::SIGSTOP);
    let message = stderr(&client.wait_with_output()?);
    assert!(message.contains("it is still running"), "{message}");
    // The kernel ends the stopped process, because its process group is orphaned now.
    wait_until("the next daemon serves", || fixture.request("pid").is_ok());
    Ok(())
}

#[test]
fn a_slow_bind_is_reported_and_the_daemon_serves_later() -> TestResult {
    let fixture = Fixture::new()?;
    let output = fixture
        .backend_client("daemon-binds")
        .env(daemon_tests::BIND_DELAY_MS, "1000")
        .env("TEST_CLIENT_DEADLINE_MS", "500")
        .output()?;
    let message = stderr(&output);
    assert!(message.contains("it is in `bind`"), "{message}");
    let output = fixture.backend_client("daemon-binds").output()?;
    assert!(stdout(&output).ends_with("bound\n"), "{}", stderr(&output));
    Ok(())
}

// Daemons that are not launched

#[test]
fn one_environment_variable_disables_launches() -> TestResult {
    let fixture = Fixture::new()?;
    for value in ["1", "test-daemon", "other, test-daemon"] {
        let mut command = fixture.client_command("pid");
        let message = stderr(&command.env("BROKERED_DISABLE", value).output()?);
        assert!(
            message.contains("disabled by BROKERED_DISABLE"),
            "{message}"
        );
        assert_eq!(fs::read_dir(fixture.runtime_directory())?.count(), 0);
    }
    let mut command = fixture.client_command("pid");
    let output = command.env("BROKERED_DISABLE", "other").output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_daemon_that_systemd_starts_is_never_launched() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGKILL);
    daemon.wait_with_output()?;
    let path = fixture.instance_directory()?.join("record");
    let record = fs::read_to_string(&path)?;
    fs::write(&path, record.replace("OWNER=hand", "OWNER=systemd"))?;
    let message = stderr(&fixture.client_command("pid").output()?);
    assert!(message.contains("last started by systemd"), "{message}");
    assert!(fixture.daemon_pids().is_empty());
    // After a start by hand, clients may launch the daemon again.
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGKILL);
    daemon.wait_with_output()?;
    fixture.request("pid")?;
    Ok(())
}

#[test]
fn a_timeout_names_the_holder_of_the_lock() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    fs::remove_file(fixture.socket()?)?;
    let mut command = fixture.client_command("pid");
    let message = stderr(&command.env("TEST_CLIENT_DEADLINE_MS", "100").output()?);
    let expected = format!("process {} (ready, started ", daemon.pid());
    assert!(message.contains(&expected), "{message}");
    Ok(())
}

// The executable and the children of a client

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux keeps a replaced executable accessible"
)]
fn a_replaced_executable_still_starts_its_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let installed = fixture.path().join("client-and-daemon");
    copy_executable(env!("CARGO_BIN_EXE_client-and-daemon"), &installed)?;
    let mut client = Command::new(&installed)
        .env("BROKERED_RUNTIME_DIR", fixture.runtime_directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = std::io::BufReader::new(client.stdout.take().ok_or("no output")?);
    assert_eq!(read_line(&mut lines)?, "started");
    // An upgrade in place: a new file takes the name.
    fs::remove_file(&installed)?;
    fs::write(&installed, "#!/bin/sh\nexit 1\n")?;
    fs::set_permissions(&installed, fs::Permissions::from_mode(0o755))?;
    writeln!(client.stdin.as_ref().ok_or("no input")?, "connect")?;
    let answer = read_line(&mut lines)?;
    let output = client.wait_with_output()?;
    assert!(
        answer.starts_with("served by "),
        "{answer}{}",
        stderr(&output)
    );
    Ok(())
}

#[test]
fn a_long_running_client_leaves_no_zombies() -> TestResult {
    let fixture = Fixture::new()?;
    let mut client = fixture.command(env!("CARGO_BIN_EXE_client-and-daemon"));
    let output = client.arg("count-zombies").output()?;
    assert_eq!(stdout(&output), "no zombies\n", "{}", stderr(&output));
    Ok(())
}
