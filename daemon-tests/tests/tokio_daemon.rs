//! Daemons on tokio: idle exit and shutdown take their connections into account, too.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::thread;
use std::time::Duration;

use common::{ChildProcess, Fixture, Signal, TestResult, read_line, stderr, stdout};

fn start(fixture: &Fixture) -> Result<ChildProcess, Box<dyn Error>> {
    let program = env!("CARGO_BIN_EXE_tokio-daemon");
    fixture.start(fixture.command_without_instance(program))
}

#[test]
fn idle_exit_waits_for_an_open_connection() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = start(&fixture)?;
    let mut open = fixture.send("x")?;
    assert_eq!(read_line(&mut open)?, daemon.pid().to_string());
    thread::sleep(Duration::from_secs(3));
    let mut other = fixture.send("y")?;
    assert_eq!(read_line(&mut other)?, daemon.pid().to_string());
    drop((open, other));
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("served\n"), "{}", stdout(&output));
    Ok(())
}

#[test]
fn sigterm_ends_the_daemon_despite_a_quiet_connection() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = start(&fixture)?;
    let mut open = fixture.send("x")?;
    assert_eq!(read_line(&mut open)?, daemon.pid().to_string());
    daemon.signal(Signal::SIGTERM);
    assert_eq!(read_line(&mut open)?, "");
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(fixture.record().is_err() && fixture.is_lock_free()?);
    let message = stdout(&output);
    for span in ["span load", "span drain"] {
        assert!(message.contains(span), "{message}");
    }
    Ok(())
}
