//! `brokered wait` and `brokered probe`.

use std::time::Duration;

use brokered_runtime::__operator::Place;
use brokered_runtime::{ControlError, Phase};
use serde_json::json;

use crate::arguments::{Probe, Wait};
use crate::find;
use crate::look::{Seen, State};
use crate::screen::{Screen, style, styled, tame};
use crate::trouble::{DONE, FAILED, NO_ANSWER, NOT_RUNNING, TIMED_OUT, Trouble};

pub(crate) fn wait(arguments: &Wait, screen: &mut Screen) -> Result<u8, Trouble> {
    let place = find::one(&arguments.target)?;
    until_ready(&place, arguments.timeout, screen)?;
    if screen.is_json() {
        screen.json(&json!({ "ready": true }))?;
    } else {
        let ready = styled(style::GOOD, "ready");
        screen.line(format!("{} is {ready}", tame(&arguments.target.daemon)))?;
    }
    Ok(DONE)
}

/// Waits, and passes on what the daemon says of its progress.
pub(super) fn until_ready(
    place: &Place,
    patience: Duration,
    screen: &Screen,
) -> Result<(), Trouble> {
    place
        .wait_ready(patience, |progress| screen.progress(&tame(progress)))
        .or_else(|error| match error {
            // A hand-written backend serves once it is bound.
            ControlError::NoControl { .. } => Ok(()),
            error => {
                let code = match error {
                    ControlError::NotRunning { .. } => NOT_RUNNING,
                    ControlError::NoAnswer { .. } => NO_ANSWER,
                    ControlError::TooSlow { .. } => TIMED_OUT,
                    _ => FAILED,
                };
                let recorded = place.recorded();
                let failure = recorded.story().and_then(|story| story.failure.as_ref());
                Err(match failure {
                    Some(why) if code == NOT_RUNNING => Trouble::new(
                        code,
                        format!(
                            "it has failed: {}; its output is in {}",
                            tame(why),
                            place.log().display()
                        ),
                    ),
                    _ => Trouble::new(code, error.to_string()),
                })
            }
        })
}

/// Tells by the exit code. Words are for whoever asks for JSON.
pub(crate) fn probe(arguments: &Probe, screen: &mut Screen) -> Result<u8, Trouble> {
    let place = match find::one(&arguments.target) {
        Err(trouble) if trouble.code() == NOT_RUNNING => {
            return told("ended", NOT_RUNNING, screen);
        }
        found => found?,
    };
    let seen = Seen::of(place, arguments.timeout);
    let code = match &seen.state {
        State::Answers(status) if arguments.live || status.phase == Phase::Ready => DONE,
        State::Answers(_) => FAILED,
        _ => seen.code(),
    };
    told(seen.phase(), code, screen)
}

fn told(phase: &str, code: u8, screen: &mut Screen) -> Result<u8, Trouble> {
    if screen.is_json() {
        screen.json(&json!({ "phase": phase, "ok": code == DONE, "code": code }))?;
    }
    Ok(code)
}
