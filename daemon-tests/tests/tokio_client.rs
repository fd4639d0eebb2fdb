//! The client on tokio.

#![cfg(unix)]

mod common;

use std::io::BufReader;
use std::process::Stdio;

use common::{Outcome, Place, SUBJECT, line, make_fifo, stderr, stdout};

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
fn an_error_is_the_one_that_a_client_without_tokio_gets() -> Outcome {
    let place = Place::new()?;
    let output = ask(&place, "pid")
        .env(daemon_tests::LOAD_FAILS, "no disk today")
        .output()?;
    let said = stderr(&output);
    assert!(said.contains("ended before it was up"), "{said}");
    assert!(said.contains("no disk today"), "{said}");
    let output = ask(&place, "pid").env("BROKERED_DISABLE", "1").output()?;
    assert!(
        stderr(&output).contains("switched off"),
        "{}",
        stdout(&output)
    );
    Ok(())
}
