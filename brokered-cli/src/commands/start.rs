//! `brokered start`: starts a daemon by its executable.

use std::time::{Duration, Instant};

use brokered_runtime::__operator::{Launch, Place, Started, Story};
use serde_json::json;

use crate::arguments::{Program, Start, Target, Until};
use crate::find;
use crate::look::Seen;
use crate::screen::{Screen, style, styled};
use crate::trouble::{DONE, NOT_RUNNING, Trouble, USAGE};

use super::wait;

pub(crate) fn start(arguments: &Start, screen: &mut Screen) -> Result<u8, Trouble> {
    let launch = launch_of(&arguments.target, &arguments.program)?;
    run(
        &launch,
        arguments.until == Until::Ready,
        arguments.timeout,
        screen,
        "started",
    )
}

/// Starts it, waits as far as is wanted, and says so.
pub(super) fn run(
    launch: &Launch,
    ready: bool,
    patience: Duration,
    screen: &mut Screen,
    verb: &str,
) -> Result<u8, Trouble> {
    let deadline = Instant::now() + patience;
    let place = launch.place().map_err(Trouble::failed)?;
    let started = launch.start(patience).map_err(Trouble::failed)?;
    if ready {
        let left = deadline.saturating_duration_since(Instant::now());
        wait::until_ready(&place, left, screen).map_err(|trouble| match trouble.code() {
            // It was up, and has ended since.
            NOT_RUNNING => Trouble::failed(trouble),
            _ => trouble,
        })?;
    }
    say(&place, &started, screen, verb)?;
    Ok(DONE)
}

fn say(place: &Place, started: &Started, screen: &mut Screen, verb: &str) -> Result<(), Trouble> {
    let seen = Seen::of(place.clone(), Duration::from_secs(1));
    let is_new = matches!(started, Started::Now(_));
    if screen.is_json() {
        return screen.json(&json!({ "started": is_new, "daemon": seen.to_json() }));
    }
    let verb = if is_new { verb } else { "runs already" };
    let phase = styled(seen.style(), seen.phase());
    let pid = seen
        .pid()
        .map_or_else(String::new, |pid| format!(", process {pid}"));
    let name = styled(style::HEAD, seen.name());
    screen.line(format!("{name} {verb}: {phase}{pid}"))
}

/// How to start what is meant: with the executable that is named, or the one that is recorded.
pub(super) fn launch_of(target: &Target, program: &Program) -> Result<Launch, Trouble> {
    let known = find::one(target);
    if let Err(trouble) = &known
        && trouble.code() == USAGE
    {
        return Err(known.unwrap_err());
    }
    let recorded = known.as_ref().ok().map(Place::recorded);
    let story = recorded.as_ref().and_then(|recorded| recorded.story());
    let launch = match story {
        Some(story) => of_story(story)?,
        None => find::launch(target)?,
    };
    with_program(launch, story, program, target)
}

pub(super) fn of_story(story: &Story) -> Result<Launch, Trouble> {
    Launch::of(story).ok_or_else(|| {
        Trouble::failed(format!(
            "its record names the daemon {:?} with contract {}, which no daemon can have",
            story.name, story.contract
        ))
    })
}

pub(super) fn with_program(
    launch: Launch,
    story: Option<&Story>,
    program: &Program,
    target: &Target,
) -> Result<Launch, Trouble> {
    let log = story.and_then(|story| story.log.clone());
    let launch = launch.log(log);
    match (
        &program.program,
        story.and_then(|story| story.program.as_ref().map(|path| (story, path))),
    ) {
        (Some(path), _) => Ok(launch.program(path, &program.arguments)),
        (None, Some((story, path))) => Ok(launch.program(path, &story.arguments)),
        (None, None) => Err(Trouble::new(
            USAGE,
            format!(
                "nothing tells which executable {} is: name it with --program",
                target.daemon
            ),
        )),
    }
}
