//! Races: launchers that start at once or are stopped midway, and directories that are removed meanwhile.
//!
//! In each case there is one daemon, no client waits past its deadline, and the next client is served.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, Signal, TEST_DAEMON, TIMEOUT, TestResult, assert_advises_no_deletion,
    delayed_daemon, make_fifo, number_from_env, open_fifo_for_writing, output_within, replied_pid,
    set_mode, signal_process, spawn_piped, stderr, stdout, wait_until, wait_within,
};

#[test]
fn a_removed_or_replaced_directory_gets_a_new_daemon() -> TestResult {
    for replaced in [false, true] {
        let fixture = Fixture::new()?;
        let mut old = fixture.start_daemon()?;
        fixture.wait_for_phase("ready");
        let instance = fixture.instance_directory()?;
        let away = fixture.path().join("away");
        fs::rename(&instance, &away)?;
        if replaced {
            fs::create_dir(&instance)?;
            set_mode(&instance, 0o700)?;
        } else {
            fs::remove_dir_all(&away)?;
        }
        let output = output_within(TIMEOUT, &mut fixture.client_command("pid"));
        let new = replied_pid(&fixture, &output)?;
        assert_ne!(new, old.pid().to_string());
        // The old daemon ends, and leaves the new daemon's files alone.
        if old.0.try_wait()?.is_none() {
            old.signal(Signal::SIGTERM);
        }
        let ended = old.wait_with_output()?;
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
        assert_eq!(fixture.request("pid")?, new, "replaced: {replaced}");
        assert_eq!(fixture.record_value("PID")?, new);
    }
    Ok(())
}

#[test]
fn removing_the_directory_during_a_launch_fails_only_that_launch() -> TestResult {
    for replaced in [false, true] {
        let fixture = Fixture::new()?;
        let (delayed, fifo) = delayed_daemon(&fixture)?;
        let launching = spawn_piped(&mut fixture.client_command_for(delayed, "pid"));
        let mut start = open_fifo_for_writing(&fifo)?;
        let instance = fixture.instance_directory()?;
        fs::rename(&instance, fixture.path().join("away"))?;
        if replaced {
            fs::create_dir(&instance)?;
            set_mode(&instance, 0o700)?;
        }
        // The next client finds no daemon, and launches one.
        let output = output_within(TIMEOUT, &mut fixture.client_command("pid"));
        let new = replied_pid(&fixture, &output)?;
        writeln!(start, "start")?;
        let first = wait_within(TIMEOUT, launching);
        let message = stderr(&first);
        assert!(!first.status.success(), "{}", stdout(&first));
        assert!(message.contains("ended during its start-up"), "{message}");
        assert!(
            message.contains("the passed lock is not on the instance directory"),
            "{message}"
        );
        assert_advises_no_deletion(&message);
        assert_eq!(fixture.request("pid")?, new, "replaced: {replaced}");
        assert_eq!(fixture.record_value("PID")?, new);
    }
    Ok(())
}

/// `ROUNDS` sets the number of rounds; the full tier runs 10,000.
#[test]
fn two_launchers_and_a_start_by_hand_over_stale_files_yield_one_holder() -> TestResult {
    for round in 0..number_from_env("ROUNDS", 300_u32)? {
        let fixture = Fixture::new()?;
        let stale = fixture.start_daemon()?;
        stale.signal(Signal::SIGKILL);
        let _ = stale.wait_with_output()?;
        let mut by_hand = fixture.command(TEST_DAEMON);
        let mut by_hand = spawn_piped(&mut by_hand);
        let launchers = [
            spawn_piped(&mut fixture.client_command("pid")),
            spawn_piped(&mut fixture.client_command("pid")),
        ];
        let mut pids = Vec::new();
        for launcher in launchers {
            let output = wait_within(TIMEOUT, launcher);
            pids.push(replied_pid(&fixture, &output)?);
        }
        assert_eq!(pids[0], pids[1], "round {round}");
        if pids[0] == by_hand.pid().to_string() {
            assert!(by_hand.0.try_wait()?.is_none(), "round {round}");
            assert_eq!(fixture.record_value("OWNER")?, "hand", "round {round}");
        } else {
            let output = by_hand.wait_with_output()?;
            assert_eq!(
                output.status.code(),
                Some(69),
                "round {round}: {}",
                stderr(&output)
            );
            assert_eq!(fixture.record_value("OWNER")?, "launcher", "round {round}");
        }
    }
    Ok(())
}

#[test]
fn a_launcher_stopped_while_it_waits_delays_no_other_client() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("load");
    make_fifo(&fifo)?;
    let mut command = fixture.client_command("pid");
    command
        .env(daemon_tests::LOAD_FIFO, &fifo)
        .env("TEST_CLIENT_WAIT", "ready");
    let mut stopped = spawn_piped(&mut command);
    let load = open_fifo_for_writing(&fifo)?;
    let locked = fixture.instance_directory()?;
    let descriptors = PathBuf::from(format!("/proc/{}/fd", stopped.pid()));
    wait_until("the launcher has closed its lock", || {
        let mut open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        !open.any(|open| fs::read_link(open.path()).is_ok_and(|path| path == locked))
    });
    assert!(
        stopped.0.try_wait()?.is_none(),
        "the launcher closed the lock only by ending"
    );
    signal_process(stopped.pid(), Signal::SIGSTOP);
    drop(load);
    let output = output_within(TIMEOUT, &mut fixture.client_command("pid"));
    let pid = replied_pid(&fixture, &output)?;
    // Descriptors of the stopped launcher do not hide that the daemon has ended.
    signal_process(pid.parse()?, Signal::SIGKILL);
    wait_until("the lock is free", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    let output = output_within(TIMEOUT, &mut fixture.client_command("pid"));
    let next = replied_pid(&fixture, &output)?;
    assert_ne!(next, pid);
    // The continued launcher learns of its own daemon's end, and leaves the next daemon alone.
    signal_process(stopped.pid(), Signal::SIGCONT);
    wait_within(TIMEOUT, stopped);
    assert_eq!(fixture.request("pid")?, next);
    Ok(())
}

#[test]
fn a_launcher_stopped_at_any_point_delays_others_until_their_deadline_at_most() -> TestResult {
    let mut rounds_with_lock = 0;
    for round in 0..number_from_env("ROUNDS", 100_u32)? {
        let fixture = Fixture::new()?;
        let stopped = spawn_piped(&mut fixture.client_command("pid"));
        // Each round stops the launcher at another time within the milliseconds of its launch.
        thread::sleep(Duration::from_micros(u64::from(round) * 61 % 6000));
        signal_process(stopped.pid(), Signal::SIGSTOP);
        let stderr_file = fixture.path().join("stderr");
        let mut command = fixture.client_command("pid");
        command
            .env("TEST_CLIENT_DEADLINE_MS", "150")
            .env("TEST_CLIENT_REPORT_CONNECTED", "1")
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&stderr_file)?);
        let began = Instant::now();
        let mut second = ChildProcess(command.spawn()?);
        let connected = || fs::read_to_string(&stderr_file).unwrap_or_default() == "connected\n";
        wait_until("the other client is connected, or fails", || {
            connected() || second.0.try_wait().is_ok_and(|ended| ended.is_some())
        });
        assert!(began.elapsed() < Duration::from_secs(10), "round {round}");
        // It may have connected to the listener that the stopped launcher has bound.
        let has_connected = connected();
        signal_process(stopped.pid(), Signal::SIGCONT);
        let first = wait_within(TIMEOUT, stopped);
        let pid = replied_pid(&fixture, &first)?;
        let output = wait_within(TIMEOUT, second);
        if has_connected {
            assert_eq!(
                stdout(&output).trim_end(),
                pid,
                "round {round}: two daemons"
            );
        } else {
            rounds_with_lock += 1;
            let message = fs::read_to_string(&stderr_file)?;
            assert!(
                message.contains("cannot reach test-daemon"),
                "round {round}: {message}"
            );
            assert_advises_no_deletion(&message);
        }
        assert_eq!(fixture.request("pid")?, pid, "round {round}");
    }
    eprintln!("a stopped launcher held the lock in {rounds_with_lock} rounds");
    Ok(())
}
