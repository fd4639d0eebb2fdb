//! Clocks that jump, and clocks that differ between two clients.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{
    Fixture, ROOT, Signal, TEST_CLIENT, TIMEOUT, TestResult, assert_advises_no_deletion,
    has_requirements, output_within, replied_pid, signal_process, spawn_piped, stderr, stdout,
    wait_until, wait_within,
};

const FAKE_CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Replaces a command's wall clock with one that a file sets. All other clocks stay real.
fn with_clock(command: &mut Command, file: &Path) {
    command
        .env("LD_PRELOAD", FAKE_CLOCK)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_TIMESTAMP_FILE", file);
}

#[test]
fn setting_the_wall_clock_does_not_change_a_deadline() -> TestResult {
    if !has_requirements(&[FAKE_CLOCK]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let first = fixture.request("pid")?;
    signal_process(first.parse()?, Signal::SIGKILL);
    wait_until("the daemon has ended", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    let holder = fs::File::open(fixture.instance_directory()?)?;
    holder.lock()?;
    let clock = fixture.path().join("clock");
    for jump in ["-10d", "+10d"] {
        fs::write(&clock, "+0d")?;
        let mut date = Command::new("date");
        with_clock(date.arg("+%s"), &clock);
        let seconds = |date: &mut Command| -> Result<i64, Box<dyn Error>> {
            Ok(stdout(&date.output()?).trim_end().parse()?)
        };
        let now = seconds(&mut date)?;
        let mut command = fixture.client_command("pid");
        with_clock(command.env("TEST_CLIENT_DEADLINE_MS", "700"), &clock);
        let began = Instant::now();
        let client = spawn_piped(&mut command);
        let program = PathBuf::from(format!("/proc/{}/exe", client.pid()));
        wait_until("the client runs", || {
            fs::read_link(&program).is_ok_and(|program| program == Path::new(TEST_CLIENT))
        });
        fs::write(&clock, jump)?;
        let jumped = (seconds(&mut date)? - now).abs();
        assert!(jumped > 9 * 86_400, "the clock jumped by only {jumped} s");
        let output = wait_within(TIMEOUT, client);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(700), "{jump}: {took:?}");
        assert!(took < Duration::from_secs(10), "{jump}: {took:?}");
        let message = stderr(&output);
        assert!(message.contains("cannot reach test-daemon"), "{message}");
    }
    drop(holder);
    // A client whose clock is ten days off accepts the files that the others have left.
    let mut command = fixture.client_command("pid");
    with_clock(&mut command, &clock);
    let pid = replied_pid(&fixture, &output_within(TIMEOUT, &mut command))?;
    assert_eq!(fixture.request("pid")?, pid);
    // SIGTERM lets libfaketime remove its shared memory.
    signal_process(pid.parse()?, Signal::SIGTERM);
    wait_until("the daemon has ended", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    Ok(())
}

/// Launches daemons and kills each, until the start limit refuses a launch.
#[track_caller]
fn reach_start_limit(fixture: &Fixture, client: impl Fn() -> Command) -> TestResult {
    for _ in 0..20 {
        let output = output_within(TIMEOUT, &mut client());
        if !output.status.success() {
            let message = stderr(&output);
            assert!(message.contains("is not started again"), "{message}");
            assert_advises_no_deletion(&message);
            return Ok(());
        }
        let pid = replied_pid(fixture, &output)?;
        signal_process(pid.parse()?, Signal::SIGKILL);
        wait_until("the daemon has ended", || {
            fixture.is_lock_free().unwrap_or(false)
        });
    }
    panic!("no launch was refused after twenty starts");
}

#[test]
fn a_shifted_boot_clock_prevents_no_launch() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    // A container that was restored on another machine may hold start times that are in the future there.
    let client = fixture.client_command("pid");
    let client_with_offset = |offset: &str| {
        let mut command = fixture.command("unshare");
        command
            .args(["--time", "--boottime", offset, "--monotonic", offset])
            .arg(client.get_program())
            .args(client.get_args())
            .env_remove("BROKERED_INSTANCE");
        command
    };
    reach_start_limit(&fixture, || client_with_offset("2000000"))?;
    for offset in ["0", "1000000"] {
        let output = output_within(TIMEOUT, &mut client_with_offset(offset));
        let pid = replied_pid(&fixture, &output)?;
        assert_eq!(fixture.request("pid")?, pid);
        signal_process(pid.parse()?, Signal::SIGKILL);
        wait_until("the daemon has ended", || {
            fixture.is_lock_free().unwrap_or(false)
        });
    }
    Ok(())
}

#[test]
fn setting_the_wall_clock_does_not_reset_the_start_limit() -> TestResult {
    if !has_requirements(&[FAKE_CLOCK]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let clock = fixture.path().join("clock");
    reach_start_limit(&fixture, || fixture.client_command("pid"))?;
    for jump in ["-10d", "+10d"] {
        fs::write(&clock, jump)?;
        let mut command = fixture.client_command("pid");
        with_clock(&mut command, &clock);
        let output = output_within(TIMEOUT, &mut command);
        let message = stderr(&output);
        assert!(!output.status.success(), "{jump}: {}", stdout(&output));
        assert!(
            message.contains("is not started again"),
            "{jump}: {message}"
        );
    }
    Ok(())
}

#[test]
fn setting_the_wall_clock_does_not_change_the_age_of_a_daemon() -> TestResult {
    if !has_requirements(&[FAKE_CLOCK]) {
        return Ok(());
    }
    for offset in ["-365d", "+365d"] {
        let fixture = Fixture::new()?;
        let clock = fixture.path().join("clock");
        fs::write(&clock, offset)?;
        let mut command = fixture.command(common::TEST_DAEMON);
        with_clock(&mut command, &clock);
        let daemon = fixture.start(command)?;
        // An age of 0 ms is that of a daemon from the future.
        std::thread::sleep(Duration::from_millis(20));
        let second = output_within(TIMEOUT, &mut fixture.command(common::TEST_DAEMON));
        let message = stderr(&second);
        assert_eq!(second.status.code(), Some(69), "{message}");
        assert!(message.contains(" ago)"), "{message}");
        for wrong in [" d ago", "started 0 ms ago"] {
            assert!(!message.contains(wrong), "{offset}: {message}");
        }
        // SIGTERM lets libfaketime remove its shared memory.
        daemon.signal(Signal::SIGTERM);
        daemon.wait_with_output()?;
    }
    Ok(())
}
