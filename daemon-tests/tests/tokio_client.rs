//! Clients on tokio.

#![cfg(unix)]

mod common;

use std::io::BufReader;
use std::process::Stdio;

use common::{
    Fixture, TEST_DAEMON, TestResult, connection_count, make_fifo, open_fifo_for_writing,
    read_line, stderr, stdout, wait_until,
};

fn tokio_client(fixture: &Fixture, line: &str) -> std::process::Command {
    let mut command = fixture.command_without_instance(env!("CARGO_BIN_EXE_tokio-client"));
    command
        .arg(fixture.project_directory())
        .args([TEST_DAEMON, line]);
    command
}

#[test]
fn a_launch_does_not_block_the_runtime() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut client = tokio_client(&fixture, "phase")
        .env(daemon_tests::LOAD_FIFO, &fifo)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut message = BufReader::new(client.stdout.take().ok_or("no output")?);
    // The daemon waits for the fifo and the client for the daemon, while its timer fires.
    for _ in 0..3 {
        assert_eq!(read_line(&mut message)?, "tick");
    }
    drop(std::fs::File::create(&fifo)?);
    let mut rest = read_line(&mut message)?;
    while rest == "tick" {
        rest = read_line(&mut message)?;
    }
    assert_eq!(rest, "ready");
    assert_eq!(read_line(&mut message)?, "ready");
    client.wait()?;
    Ok(())
}

#[test]
fn a_client_waits_for_a_loading_daemon_that_another_client_started() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut first = fixture.client_command("phase");
    first.env(daemon_tests::LOAD_FIFO, &fifo);
    let first = first.stdout(Stdio::piped()).spawn()?;
    // The daemon loads until the test closes the fifo.
    let load = open_fifo_for_writing(&fifo)?;
    let mut client = tokio_client(&fixture, "phase")
        .env("TEST_CLIENT_REPORT_CONNECTED", "")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut message = BufReader::new(client.stdout.take().ok_or("no output")?);
    // Each waiting client has a connection to the control endpoint.
    let control = fixture.instance_directory()?.join("control");
    wait_until("both connections wait", || connection_count(&control) >= 2);
    for _ in 0..3 {
        assert_eq!(
            read_line(&mut message)?,
            "tick",
            "the client is connected before readiness"
        );
    }
    drop(load);
    let mut rest = read_line(&mut message)?;
    while rest == "tick" {
        rest = read_line(&mut message)?;
    }
    assert_eq!(rest, "connected");
    client.wait()?;
    assert_eq!(stdout(&first.wait_with_output()?), "ready\n");
    Ok(())
}

#[test]
fn the_next_call_reaps_an_ended_daemon_although_it_starts_none() -> TestResult {
    let fixture = Fixture::new()?;
    let other = fixture.path().join("other");
    std::fs::create_dir(&other)?;
    let mut by_hand = fixture.command(TEST_DAEMON);
    by_hand.env("BROKERED_INSTANCE", &other);
    let daemon = fixture.start(by_hand)?;
    let output = tokio_client(&fixture, "reap").arg(&other).output()?;
    let message = stdout(&output);
    let expected = format!("reaped, served by {}", daemon.pid());
    assert_eq!(message.trim_end(), expected, "{}", stderr(&output));
    Ok(())
}

#[test]
fn errors_are_the_same_as_without_tokio() -> TestResult {
    let fixture = Fixture::new()?;
    let output = tokio_client(&fixture, "pid")
        .env(daemon_tests::LOAD_ERROR, "no such shard")
        .output()?;
    let message = stderr(&output);
    assert!(message.contains("ended during its start-up"), "{message}");
    assert!(message.contains("no such shard"), "{message}");
    let output = tokio_client(&fixture, "pid")
        .env("BROKERED_DISABLE", "1")
        .output()?;
    assert!(
        stderr(&output).contains("is disabled"),
        "{}",
        stdout(&output)
    );
    Ok(())
}
