//! Faults at every point between two steps of the protocol, while several clients connect.
//!
//! After each fault: there was never a second daemon, no client waited past its deadline, the next client is served, no file
//! has to be removed by hand, and no descriptor or process is left.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use common::{Fixture, Signal, TEST_DAEMON, TestResult, stderr, wait_until};

/// The fault points of a launcher, and whether an error can be injected there.
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

/// The fault points of a daemon until it serves.
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
    // Only in a start by hand, in place of the first five.
    ("daemon:locked", false),
];

/// The fault points of a daemon's shutdown.
const END: [(&str, bool); 4] = [
    ("daemon:stop-requested", false),
    ("daemon:accept-stopped", false),
    ("daemon:drained", false),
    ("daemon:unlinked", false),
];

/// The deadline of each client, and a delay beyond it.
const DEADLINE_MS: u64 = 1000;
const DELAY_MS: u64 = 1400;
/// The extra time for a machine that is busy with other tests.
const TOLERANCE: Duration = Duration::from_secs(5);

fn all_points() -> impl Iterator<Item = (&'static str, bool)> {
    LAUNCHER.into_iter().chain(START).chain(END)
}

/// The faults that can be injected at a point.
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
    ignore = "the daemon binds, and may end before its supervisor thread has passed all points"
)]
fn a_daemons_lifetime_passes_exactly_the_known_fault_points() -> TestResult {
    let fixture = Fixture::new()?;
    let trace = fixture.path().join("trace");
    let mut command = fixture.client_command("pid");
    command.env("BROKERED_FAULT_TRACE", &trace).output()?;
    let pid = fixture.record_value("PID")?.parse()?;
    common::signal_process(pid, Signal::SIGTERM);
    wait_until("the daemon has ended", || fixture.daemon_pids().is_empty());
    let mut by_hand = fixture.command(TEST_DAEMON);
    by_hand.env("BROKERED_FAULT_TRACE", &trace);
    let daemon = fixture.start(by_hand)?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    let traced = fs::read_to_string(&trace)?;
    let traced: BTreeSet<&str> = traced.lines().collect();
    let known: BTreeSet<&str> = all_points().map(|(name, _)| name).collect();
    assert_eq!(traced, known);
    Ok(())
}

#[test]
fn the_next_client_is_served_after_a_fault_in_the_launcher() {
    for_each_fault(&LAUNCHER, during_start);
}

#[test]
fn the_next_client_is_served_after_a_fault_in_a_starting_daemon() {
    for_each_fault(&START, during_start);
}

#[test]
fn the_next_client_is_served_after_a_fault_in_an_ending_daemon() {
    for_each_fault(&END, during_shutdown);
}

/// Runs a scenario with each fault at each of the points, four at a time.
fn for_each_fault(points: &[(&'static str, bool)], scenario: fn(&Fixture, &str) -> TestResult) {
    let mut remaining: Vec<String> = points
        .iter()
        .flat_map(|(name, can_fail)| {
            let name = *name;
            faults(*can_fail)
                .into_iter()
                .map(move |what| format!("{name}={what}"))
        })
        .collect();
    remaining.reverse();
    let remaining = Mutex::new(remaining);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(fault) = remaining.lock().expect("the list").pop() else {
                        return;
                    };
                    let fixture = Fixture::new().expect("a fixture");
                    if let Err(error) = scenario(&fixture, &fault) {
                        panic!("{fault}: {error}");
                    }
                    assert_recovered(&fixture, &fault)
                        .unwrap_or_else(|error| panic!("{fault}: {error}"));
                }
            });
        }
    });
}

/// Clients connect at once and launch the daemon. One of all these processes hits the fault.
fn during_start(fixture: &Fixture, fault: &str) -> TestResult {
    if fault.starts_with("daemon:locked") {
        let by_hand = with_fault(fixture, fixture.command(TEST_DAEMON), fault).spawn()?;
        let _by_hand = common::ChildProcess(by_hand);
        wait_until("the fault is hit", || fixture.path().join("once").exists());
        return connect_clients(fixture, None);
    }
    connect_clients(fixture, Some(fault))
}

/// Clients connect while the daemon shuts down.
fn during_shutdown(fixture: &Fixture, fault: &str) -> TestResult {
    let first = with_fault(fixture, fixture.client_command("pid"), fault).output()?;
    assert!(first.status.success(), "{fault}: {}", stderr(&first));
    let pid = fixture.record_value("PID")?.parse()?;
    common::signal_process(pid, Signal::SIGTERM);
    connect_clients(fixture, None)?;
    // A delayed shutdown may still serve these clients, so the next daemon may not have started yet.
    wait_until("the first daemon has ended", || {
        !fixture.daemon_pids().contains(&pid)
    });
    // Once no more clients are accepted, `main` may return before the supervisor thread has reached the point, or has
    // recorded it.
    if fault.starts_with("daemon:accept-stopped") && !was_hit(fixture) {
        fs::write(fixture.path().join("once"), pid.to_string())?;
    }
    Ok(())
}

/// Injects a fault into a command, and sets the witness lock.
fn with_fault(fixture: &Fixture, mut command: Command, fault: &str) -> Command {
    command
        .env("BROKERED_FAULT", fault)
        .env("BROKERED_FAULT_ONCE", fixture.path().join("once"))
        .env(daemon_tests::WITNESS_LOCK, fixture.path().join("witness"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Four clients connect at once and wait for different things. Each ends by its deadline, with or without success.
fn connect_clients(fixture: &Fixture, fault: Option<&str>) -> TestResult {
    let began = Instant::now();
    let clients: Vec<_> = ["bound", "ready", "bound", "nothing"]
        .into_iter()
        .map(|wait| {
            let mut command = with_fault(
                fixture,
                fixture.client_command("pid"),
                fault.unwrap_or("none=none"),
            );
            command
                .env("TEST_CLIENT_DEADLINE_MS", DEADLINE_MS.to_string())
                .env("TEST_CLIENT_WAIT", wait);
            command.spawn()
        })
        .collect::<Result<_, _>>()?;
    for client in clients {
        let output = client.wait_with_output()?;
        let message = stderr(&output);
        // The fault may have delayed this very client.
        let limit = Duration::from_millis(DEADLINE_MS + DELAY_MS) + TOLERANCE;
        assert!(
            began.elapsed() < limit,
            "{fault:?}: a client hung: {message}"
        );
        assert!(
            output.status.success() || message.starts_with("test-client: ") || message.is_empty(),
            "{fault:?}: {message}"
        );
        assert!(!message.contains("panicked"), "{fault:?}: {message}");
    }
    Ok(())
}

/// Whether a process has hit the fault, and has recorded its PID.
fn was_hit(fixture: &Fixture) -> bool {
    fs::read_to_string(fixture.path().join("once")).is_ok_and(|pid| !pid.is_empty())
}

/// Asserts what must hold after a fault.
fn assert_recovered(fixture: &Fixture, fault: &str) -> TestResult {
    let hit = fixture.path().join("once");
    wait_until(fault, || was_hit(fixture));
    if fault.ends_with("=kill") {
        // Until its last thread has ended, the process may accept one more client.
        let killed = PathBuf::from(format!("/proc/{}", fs::read_to_string(&hit)?));
        wait_until("the killed process has ended", || {
            let threads = fs::read_dir(killed.join("task")).map_or(0, Iterator::count);
            let stat = fs::read_to_string(killed.join("stat")).unwrap_or_default();
            threads == 0 || threads == 1 && stat.contains(") Z ")
        });
    }
    let first = descriptor_count(fixture).map_err(|error| format!("the next client: {error}"))?;
    let pid: u32 = fixture.record_value("PID")?.parse()?;
    wait_until("one daemon runs", || fixture.daemon_pids() == [pid]);
    let second = fixture.path().join("witness.second");
    assert!(!second.exists(), "{fault}: there was a second daemon");
    assert!(!fixture.is_lock_free()?, "{fault}: the lock is free");
    // Once the last client has disconnected, the daemon has as many descriptors as one without a fault.
    let baseline = descriptors_without_fault()?;
    let mut open = first;
    wait_until("all other descriptors are closed", || {
        let is_baseline = open <= baseline;
        open = descriptor_count(fixture).unwrap_or(usize::MAX);
        is_baseline
    });
    // The daemon shuts down and leaves only its log.
    common::signal_process(pid, Signal::SIGTERM);
    wait_until("the daemon has ended", || fixture.daemon_pids().is_empty());
    let left: BTreeSet<_> = fs::read_dir(fixture.instance_directory()?)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    assert_eq!(left, BTreeSet::from(["log".into()]), "{fault}");
    Ok(())
}

/// The number of descriptors of a daemon without a fault.
fn descriptors_without_fault() -> Result<usize, Box<dyn std::error::Error>> {
    static KNOWN: Mutex<Option<usize>> = Mutex::new(None);
    let mut known = KNOWN.lock().expect("the number");
    if let Some(known) = *known {
        return Ok(known);
    }
    let fixture = Fixture::new()?;
    descriptor_count(&fixture)?;
    // The daemon serves clients before it has bound its control endpoint.
    let control = fixture.instance_directory()?.join("control");
    wait_until("the control endpoint exists", || control.exists());
    let open = descriptor_count(&fixture)?;
    *known = Some(open);
    Ok(open)
}

/// The number of the daemon's descriptors while it replies.
fn descriptor_count(fixture: &Fixture) -> Result<usize, Box<dyn std::error::Error>> {
    let output = with_fault(fixture, fixture.client_command("self"), "none=none").output()?;
    if !output.status.success() {
        return Err(stderr(&output).into());
    }
    let report = String::from_utf8(output.stdout)?;
    Ok(report
        .lines()
        .filter(|line| line.starts_with("fd "))
        .count())
}
