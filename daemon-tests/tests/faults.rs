//! Every point between the steps of the protocol, and what can go wrong there, with clients all around.
//!
//! Whatever happens: there is never a second owner, no client waits beyond its deadline, the next client is
//! served, no file is in the way, and nothing is left open or running.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, Place, SUBJECT, Signal, eventually, stderr};

/// Points that a launcher comes to, and whether a step fails there when something does.
const LAUNCHER: [(&str, bool); 11] = [
    ("launch:no-listener", true),
    ("launch:directory-prepared", true),
    ("launch:locked", true),
    ("launch:start-recorded", false),
    ("launch:bound", false),
    ("launch:stale-record-removed", false),
    ("launch:log-opened", true),
    ("launch:message-sent", true),
    ("launch:spawned", false),
    ("launch:connected", true),
    ("launch:bound-received", true),
];

/// Points that a daemon comes to until it serves.
const START: [(&str, bool); 13] = [
    ("daemon:launch-detected", false),
    ("daemon:inherited-state-reset", false),
    ("daemon:message-received", true),
    ("daemon:message-consumed", false),
    ("daemon:adopted", false),
    ("daemon:bound", false),
    ("daemon:signals-caught", true),
    ("daemon:recorded", false),
    ("daemon:launcher-notified", false),
    ("daemon:loading", false),
    ("daemon:loaded", false),
    ("daemon:ready", false),
    // By hand, in the place of the first five.
    ("daemon:locked", false),
];

/// Points that a daemon comes to once it was asked to end.
const END: [(&str, bool); 4] = [
    ("daemon:stop-requested", false),
    ("daemon:accept-stopped", false),
    ("daemon:drained", false),
    ("daemon:unlinked", false),
];

/// How long a client of these tests waits, and what is longer than that.
const DEADLINE_MS: u64 = 1000;
const DELAY_MS: u64 = 1400;
/// A machine that is busy with other tests may be late by this.
const LATE: Duration = Duration::from_secs(5);

fn all() -> impl Iterator<Item = (&'static str, bool)> {
    LAUNCHER.into_iter().chain(START).chain(END)
}

/// What can go wrong at a point.
fn faults(can_fail: bool) -> Vec<String> {
    let mut faults = vec!["kill".to_owned(), format!("delay:{DELAY_MS}")];
    if can_fail {
        faults.push("error".to_owned());
    }
    faults
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "the daemon binds, and may end before its keeper has come past all of them"
)]
fn a_life_comes_to_all_of_the_points_and_to_no_others() -> Outcome {
    let place = Place::new()?;
    let trace = place.path().join("trace");
    let mut command = place.ask_command("pid");
    command.env("BROKERED_FAULT_TRACE", &trace).output()?;
    let pid = place.recorded("PID")?.parse()?;
    common::signal_process(pid, Signal::SIGTERM);
    eventually("it has ended", || place.daemons().is_empty());
    let mut by_hand = place.command(SUBJECT);
    by_hand.env("BROKERED_FAULT_TRACE", &trace);
    let daemon = place.start(by_hand)?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    let traced = fs::read_to_string(&trace)?;
    let traced: BTreeSet<&str> = traced.lines().collect();
    let known: BTreeSet<&str> = all().map(|(name, _)| name).collect();
    assert_eq!(traced, known);
    Ok(())
}

#[test]
fn whatever_happens_at_a_launchers_point_the_next_client_is_served() {
    each(&LAUNCHER, while_it_starts);
}

#[test]
fn whatever_happens_at_a_daemons_point_the_next_client_is_served() {
    each(&START, while_it_starts);
}

#[test]
fn whatever_happens_while_a_daemon_ends_the_next_client_is_served() {
    each(&END, while_it_ends);
}

/// Plays all faults at these points through, a few at once.
fn each(points: &[(&'static str, bool)], play: fn(&Place, &str) -> Outcome) {
    let mut to_play: Vec<String> = points
        .iter()
        .flat_map(|(name, can_fail)| {
            let name = *name;
            faults(*can_fail)
                .into_iter()
                .map(move |what| format!("{name}={what}"))
        })
        .collect();
    to_play.reverse();
    let to_play = Mutex::new(to_play);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(fault) = to_play.lock().expect("the list").pop() else {
                        return;
                    };
                    let place = Place::new().expect("a place");
                    if let Err(error) = play(&place, &fault) {
                        panic!("{fault}: {error}");
                    }
                    aftermath(&place, &fault).unwrap_or_else(|error| panic!("{fault}: {error}"));
                }
            });
        }
    });
}

/// The first start in a place, by clients that come together. One of all the processes meets the fault.
fn while_it_starts(place: &Place, fault: &str) -> Outcome {
    if fault.starts_with("daemon:locked") {
        let by_hand = armed(place, place.command(SUBJECT), fault).spawn()?;
        let _by_hand = common::Running(by_hand);
        eventually("the fault", || place.path().join("once").exists());
        return crowd(place, None);
    }
    crowd(place, Some(fault))
}

/// A daemon that is asked to end, with clients that come meanwhile.
fn while_it_ends(place: &Place, fault: &str) -> Outcome {
    let first = armed(place, place.ask_command("pid"), fault).output()?;
    assert!(first.status.success(), "{fault}: {}", stderr(&first));
    let pid = place.recorded("PID")?.parse()?;
    common::signal_process(pid, Signal::SIGTERM);
    crowd(place, None)?;
    // One that is late with its end serves until then, and is not the next one.
    eventually("the first has ended", || !place.daemons().contains(&pid));
    // Once nobody is let in any more, `main` may end before the thread that sees to the end comes there, or has said
    // that it did.
    if fault.starts_with("daemon:accept-stopped") && !has_met(place) {
        fs::write(place.path().join("once"), pid.to_string())?;
    }
    Ok(())
}

fn armed(place: &Place, mut command: Command, fault: &str) -> Command {
    command
        .env("BROKERED_FAULT", fault)
        .env("BROKERED_FAULT_ONCE", place.path().join("once"))
        .env(daemon_tests::WITNESS, place.path().join("witness"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Four clients at once, which wait for different things. Each ends by its deadline, whatever it says.
fn crowd(place: &Place, fault: Option<&str>) -> Outcome {
    let began = Instant::now();
    let clients: Vec<_> = ["bound", "ready", "bound", "nothing"]
        .into_iter()
        .map(|wait| {
            let mut command = armed(
                place,
                place.ask_command("pid"),
                fault.unwrap_or("none=none"),
            );
            command
                .env("ASK_DEADLINE_MS", DEADLINE_MS.to_string())
                .env("ASK_WAIT", wait);
            command.spawn()
        })
        .collect::<Result<_, _>>()?;
    for client in clients {
        let output = client.wait_with_output()?;
        let said = stderr(&output);
        // A client that was itself delayed is late by that.
        let most = Duration::from_millis(DEADLINE_MS + DELAY_MS) + LATE;
        assert!(began.elapsed() < most, "{fault:?}: a client hung: {said}");
        assert!(
            output.status.success() || said.starts_with("ask: ") || said.is_empty(),
            "{fault:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{fault:?}: {said}");
    }
    Ok(())
}

/// Whether a process has come to the fault, and has said which.
fn has_met(place: &Place) -> bool {
    fs::read_to_string(place.path().join("once")).is_ok_and(|pid| !pid.is_empty())
}

/// What must hold afterwards.
fn aftermath(place: &Place, fault: &str) -> Outcome {
    let met = place.path().join("once");
    eventually(fault, || has_met(place));
    if fault.ends_with("=kill") {
        // Until the last of its threads is dead, it may let one more client in.
        let killed = PathBuf::from(format!("/proc/{}", fs::read_to_string(&met)?));
        eventually("it is dead", || {
            let threads = fs::read_dir(killed.join("task")).map_or(0, Iterator::count);
            let stat = fs::read_to_string(killed.join("stat")).unwrap_or_default();
            threads == 0 || threads == 1 && stat.contains(") Z ")
        });
    }
    let first = descriptors(place).map_err(|error| format!("the next client: {error}"))?;
    let pid: u32 = place.recorded("PID")?.parse()?;
    eventually("one daemon is left", || place.daemons() == [pid]);
    let second = place.path().join("witness.second");
    assert!(!second.exists(), "{fault}: a second owner");
    assert!(!place.is_free()?, "{fault}: nobody holds the lock");
    // An undisturbed daemon has as many descriptors, once the last of the crowd is gone.
    let undisturbed = undisturbed()?;
    let mut open = first;
    eventually("nothing is left open", || {
        let as_many = open <= undisturbed;
        open = descriptors(place).unwrap_or(usize::MAX);
        as_many
    });
    // It ends as it should, and nobody has to clean up for the one after.
    common::signal_process(pid, Signal::SIGTERM);
    eventually("it has ended", || place.daemons().is_empty());
    let left: BTreeSet<_> = fs::read_dir(place.instance()?)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    assert_eq!(left, BTreeSet::from(["log".into()]), "{fault}");
    Ok(())
}

/// How many descriptors a daemon has that nothing has happened to.
fn undisturbed() -> Result<usize, Box<dyn std::error::Error>> {
    static KNOWN: Mutex<Option<usize>> = Mutex::new(None);
    let mut known = KNOWN.lock().expect("the number");
    if let Some(known) = *known {
        return Ok(known);
    }
    let place = Place::new()?;
    descriptors(&place)?;
    // It is served before it has bound its control endpoint.
    let control = place.instance()?.join("control");
    eventually("its control endpoint", || control.exists());
    let open = descriptors(&place)?;
    *known = Some(open);
    Ok(open)
}

/// How many descriptors the daemon of a place has while it answers.
fn descriptors(place: &Place) -> Result<usize, Box<dyn std::error::Error>> {
    let output = armed(place, place.ask_command("self"), "none=none").output()?;
    if !output.status.success() {
        return Err(stderr(&output).into());
    }
    let report = String::from_utf8(output.stdout)?;
    Ok(report
        .lines()
        .filter(|line| line.starts_with("fd "))
        .count())
}
