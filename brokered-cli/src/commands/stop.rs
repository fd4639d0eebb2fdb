//! `brokered stop` and `brokered restart`.

use std::time::Duration;

use brokered_runtime::__operator::{Place, Story};
use brokered_runtime::{ControlError, Stopped};
use serde_json::json;

use super::start;
use crate::arguments::{Restart, Stop, Target};
use crate::find;
use crate::screen::{Screen, style, styled, tame};
use crate::trouble::{DONE, FAILED, NO_ANSWER, TIMED_OUT, Trouble};

pub(crate) fn stop(arguments: &Stop, screen: &mut Screen) -> Result<u8, Trouble> {
    let place = find::one(&arguments.target)?;
    let name = name_of(&place, &arguments.target);
    let stopped = end(&place, arguments.timeout, screen)?;
    if screen.is_json() {
        screen.json(&json!({ "name": name, "stopped": word(stopped) }))?;
    } else {
        let name = styled(style::HEAD, tame(&name));
        screen.line(match stopped {
            Stopped::WasNotRunning => format!("{name} was not running"),
            Stopped::Signalled => {
                format!("{name} has ended: it did not answer, and was sent SIGTERM")
            }
            _ => format!("{name} has ended"),
        })?;
    }
    Ok(DONE)
}

pub(crate) fn restart(arguments: &Restart, screen: &mut Screen) -> Result<u8, Trouble> {
    let place = find::one(&arguments.target)?;
    let recorded = place.recorded();
    let story = recorded.story();
    if let Some(story) = story {
        refuse_foreign_owner(story)?;
    }
    let launch = match story {
        Some(story) => start::of_story(story)?,
        None => find::launch(&arguments.target)?,
    };
    // Before anything is stopped it is certain that something can be started.
    let launch = start::with_program(launch, story, &arguments.program, &arguments.target)?;
    end(&place, arguments.timeout, screen)?;
    start::run(&launch, true, arguments.timeout, screen, "restarted")
}

/// Ends it, and says what keeps it meanwhile.
pub(super) fn end(place: &Place, patience: Duration, screen: &Screen) -> Result<Stopped, Trouble> {
    if screen.is_watched()
        && let Ok(status) = place.status(patience.min(Duration::from_secs(1)))
        && status.open > 0
    {
        screen.progress(&format!(
            "{} clients are served; it ends when they are, or in 10 s",
            status.open
        ));
    }
    place.stop(patience).map_err(|error| {
        let code = match error {
            ControlError::TooSlow { .. } => TIMED_OUT,
            ControlError::NoAnswer { .. } | ControlError::NotCertain { .. } => NO_ANSWER,
            _ => FAILED,
        };
        Trouble::new(code, error.to_string())
    })
}

/// A service manager would not notice, or start its own at the next client.
fn refuse_foreign_owner(story: &Story) -> Result<(), Trouble> {
    match story.owner {
        "systemd" => Err(Trouble::failed(format!(
            "{} was started by systemd, which is to restart it: \
             `systemctl --user restart {}.service`, or whatever its unit is called",
            story.name, story.name
        ))),
        "launchd" => Err(Trouble::failed(format!(
            "{} was started by launchd, which is to restart it: `launchctl kickstart -k`",
            story.name
        ))),
        _ => Ok(()),
    }
}

/// What it is called: by its record, or, where that has gone with the daemon, by who asks.
fn name_of(place: &Place, target: &Target) -> String {
    match place.recorded().story() {
        Some(story) => story.name.clone(),
        None if target.daemon.contains('/') => place.name(),
        None => target.daemon.clone(),
    }
}

fn word(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::WasNotRunning => "was not running",
        Stopped::Signalled => "signalled",
        _ => "ended",
    }
}
