//! Handwritten backends: what they receive from a launcher, and the instance lock between two of them.

#![cfg(unix)]

mod common;

use common::{BACKEND, Fixture, TestResult, stderr, stdout};

#[test]
fn a_handwritten_backend_adopts_the_launchers_listener() -> TestResult {
    let fixture = Fixture::new()?;
    let answer = request_backend(&fixture, "launcher-binds")?;
    assert!(answer.ends_with(common::LAUNCHED_BACKEND_REPLY), "{answer}");
    assert_eq!(request_backend(&fixture, "launcher-binds")?, answer);
    assert_eq!(
        fixture.record_value("PID")?,
        answer.split(' ').next().ok_or("no pid")?
    );
    Ok(())
}

#[test]
fn a_backend_that_binds_itself_receives_only_the_lock() -> TestResult {
    let fixture = Fixture::new()?;
    let answer = request_backend(&fixture, "daemon-binds")?;
    assert!(answer.ends_with(" bound\n"), "{answer}");
    assert_eq!(request_backend(&fixture, "daemon-binds")?, answer);
    assert!(!fixture.is_lock_free()?);
    Ok(())
}

#[test]
fn a_second_handwritten_backend_fails_with_already_bound() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.start(fixture.command_without_instance(BACKEND))?;
    let second = fixture.command_without_instance(BACKEND).output()?;
    assert_eq!(second.status.code(), Some(69));
    let message = stderr(&second);
    assert!(message.contains("endpoint already bound"), "{message}");
    assert!(message.contains(&first.pid().to_string()), "{message}");
    Ok(())
}

fn request_backend(fixture: &Fixture, mode: &str) -> Result<String, Box<dyn std::error::Error>> {
    let output = fixture.backend_client(mode).output()?;
    if !output.status.success() {
        return Err(stderr(&output).into());
    }
    Ok(stdout(&output))
}
