//! In tokio: connections are counted, the backlog is served, and the end comes.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::thread;
use std::time::Duration;

use common::{Outcome, Place, Running, Signal, line, stderr, stdout};

fn start(place: &Place) -> Result<Running, Box<dyn Error>> {
    let mut command = place.command(env!("CARGO_BIN_EXE_async"));
    command.env_remove("BROKERED_INSTANCE");
    place.start(command)
}

#[test]
fn a_connection_in_tokio_is_never_idle_and_nobody_is_the_end() -> Outcome {
    let place = Place::new()?;
    let daemon = start(&place)?;
    let mut held = place.say("x")?;
    assert_eq!(line(&mut held)?, daemon.pid().to_string());
    thread::sleep(Duration::from_secs(3));
    let mut other = place.say("y")?;
    assert_eq!(line(&mut other)?, daemon.pid().to_string());
    drop((held, other));
    let output = daemon.end()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("served\n"), "{}", stdout(&output));
    Ok(())
}

#[test]
fn sigterm_ends_it_and_whoever_only_waits_holds_up_nothing() -> Outcome {
    let place = Place::new()?;
    let daemon = start(&place)?;
    let mut held = place.say("x")?;
    assert_eq!(line(&mut held)?, daemon.pid().to_string());
    daemon.signal(Signal::SIGTERM);
    assert_eq!(line(&mut held)?, "");
    let output = daemon.end()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(place.record().is_err() && place.is_free()?);
    let said = stdout(&output);
    for span in ["span load", "span drain"] {
        assert!(said.contains(span), "{said}");
    }
    Ok(())
}
