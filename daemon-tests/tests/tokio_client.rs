//! The client on tokio.

#![cfg(unix)]

mod common;

use std::io::BufReader;
use std::process::Stdio;

use common::{Outcome, Place, SUBJECT, connections, eventually, line, make_fifo, stderr, stdout};

fn ask(place: &Place, line: &str) -> std::process::Command {
    let mut command = place.command(env!("CARGO_BIN_EXE_ask-tokio"));
    command
        .arg(place.directory())
        .args([SUBJECT, line])
        .env_remove("BROKERED_INSTANCE");
    command
}

#[test]
fn a_start_does_not_keep_the_runtime_from_other_work() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut client = ask(&place, "phase")
        .env(daemon_tests::LOAD_FROM, &fifo)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(client.stdout.take().ok_or("no output")?);
    // The daemon waits for the fifo, the client for the daemon, and its timer goes off.
    for _ in 0..3 {
        assert_eq!(line(&mut said)?, "tick");
    }
    drop(std::fs::File::create(&fifo)?);
    let mut rest = line(&mut said)?;
    while rest == "tick" {
        rest = line(&mut said)?;
    }
    assert_eq!(rest, "ready");
    assert_eq!(line(&mut said)?, "ready");
    client.wait()?;
    Ok(())
}

#[test]
fn a_client_waits_for_a_daemon_that_somebody_else_has_started_and_that_loads() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut first = place.ask_command("phase");
    first.env(daemon_tests::LOAD_FROM, &fifo);
    let first = first.stdout(Stdio::piped()).spawn()?;
    // It is loading, which it does until somebody writes to the fifo.
    let gate = std::fs::OpenOptions::new().write(true).open(&fifo)?;
    let mut client = ask(&place, "phase")
        .env("ASK_TELL", "")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(client.stdout.take().ok_or("no output")?);
    // The daemon tells of its clients that wait, by their connections to its control endpoint.
    let control = place.instance()?.join("control");
    eventually("both of it wait", || connections(&control) >= 2);
    for _ in 0..3 {
        assert_eq!(
            line(&mut said)?,
            "tick",
            "it is connected before it is ready"
        );
    }
    drop(gate);
    let mut rest = line(&mut said)?;
    while rest == "tick" {
        rest = line(&mut said)?;
    }
    assert_eq!(rest, "connected");
    client.wait()?;
    assert_eq!(stdout(&first.wait_with_output()?), "ready\n");
    Ok(())
}

#[test]
fn a_daemon_that_has_ended_is_waited_for_by_the_next_call_that_starts_nothing() -> Outcome {
    let place = Place::new()?;
    let other = place.path().join("other");
    std::fs::create_dir(&other)?;
    let mut by_hand = place.command(SUBJECT);
    by_hand.env("BROKERED_INSTANCE", &other);
    let daemon = place.start(by_hand)?;
    let output = ask(&place, "reap").arg(&other).output()?;
    let said = stdout(&output);
    let expected = format!("waited for, served by {}", daemon.pid());
    assert_eq!(said.trim_end(), expected, "{}", stderr(&output));
    Ok(())
}

#[test]
fn an_error_is_the_one_that_a_client_without_tokio_gets() -> Outcome {
    let place = Place::new()?;
    let output = ask(&place, "pid")
        .env(daemon_tests::LOAD_FAILS, "no disk today")
        .output()?;
    let said = stderr(&output);
    assert!(said.contains("ended during its start-up"), "{said}");
    assert!(said.contains("no disk today"), "{said}");
    let output = ask(&place, "pid").env("BROKERED_DISABLE", "1").output()?;
    assert!(
        stderr(&output).contains("is disabled"),
        "{}",
        stdout(&output)
    );
    Ok(())
}
