//! Limited resources: full disks, exhausted descriptors and busy processors.
//!
//! In each case there is one daemon, the client gets an error that names the cause, and the next client is served.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::process::{Child, Command};
use std::time::Instant;

use common::{
    Fixture, ROOT, Signal, TEST_DAEMON, TIMEOUT, TestResult, assert_advises_no_deletion,
    has_requirements, number_from_env, output_within, replied_pid, signal_process, stderr, stdout,
};

#[test]
fn a_full_disk_fails_a_launch_with_its_reason_and_a_later_one_succeeds() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    // A disk without free space, then disks with one, two, ... inodes, of which the root directory takes one.
    let sizes = ["size=16k".to_owned()]
        .into_iter()
        .chain((1..=7).map(|inodes| format!("nr_inodes={inodes}")));
    let mut failed = 0;
    for size in sizes {
        let fixture = Fixture::new()?;
        let script = "mount -t tmpfs -o mode=0700,\"$1\" none \"$2\" || exit 99
            runtime=$2; shift 2
            case $FULL in size*) head -c 1m /dev/zero >\"$runtime/other\" 2>/dev/null;; esac
            \"$@\"; echo \"first $?\"
            case $FULL in size*) : >\"$runtime/other\";; esac
            mount -o remount,nr_inodes=1000 none \"$runtime\" || exit 99
            \"$@\"; echo \"second $?\"";
        let client = fixture.client_command("pid");
        let mut command = fixture.command("unshare");
        command
            .args(["--mount", "sh", "-c", script, "sh", &size])
            .arg(fixture.runtime_directory())
            .arg(client.get_program())
            .args(client.get_args())
            .env("FULL", &size)
            .env_remove("BROKERED_INSTANCE");
        let output = output_within(TIMEOUT, &mut command);
        let (message, report) = (stderr(&output), stdout(&output));
        // The record is in another mount namespace, so the fixture cannot find these daemons.
        for pid in report.lines().filter_map(|line| line.parse().ok()) {
            signal_process(pid, Signal::SIGKILL);
        }
        assert!(report.ends_with("second 0\n"), "{size}: {report}{message}");
        if report.contains("first 1\n") {
            failed += 1;
            assert!(
                message.contains("No space left on device"),
                "{size}: {message}"
            );
        } else {
            assert!(report.contains("first 0\n"), "{size}: {report}{message}");
        }
        assert_advises_no_deletion(&message);
    }
    assert!(failed >= 4, "only {failed} of these disks were full");
    Ok(())
}

#[test]
fn a_client_without_descriptors_gets_an_error_and_the_next_one_is_served() -> TestResult {
    let mut failed = 0;
    for limit in 3..16 {
        let fixture = Fixture::new()?;
        let client = fixture.client_command("pid");
        let mut command = fixture.command("sh");
        command
            .args(["-c", "ulimit -S -n \"$1\"; shift; exec \"$@\"", "sh"])
            .arg(limit.to_string())
            .arg(client.get_program())
            .args(client.get_args())
            .env_remove("BROKERED_INSTANCE");
        let output = output_within(TIMEOUT, &mut command);
        if output.status.success() {
            replied_pid(&fixture, &output)?;
        } else {
            failed += 1;
            let message = stderr(&output);
            // With the fewest descriptors, the dynamic loader fails before the client runs.
            let is_ours = message.starts_with("test-client: ") && message.contains("open files");
            assert!(
                is_ours || message.contains("shared librar"),
                "{limit}: {message}"
            );
            assert_advises_no_deletion(&message);
        }
        let next = output_within(TIMEOUT, &mut fixture.client_command("pid"));
        replied_pid(&fixture, &next)?;
    }
    assert!(failed > 1, "only {failed} clients had too few descriptors");
    Ok(())
}

#[test]
fn a_thousand_launches_leak_no_descriptors_or_children() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(env!("CARGO_BIN_EXE_repeated-launches"));
    command
        .arg(fixture.project_directory())
        .args([
            TEST_DAEMON,
            &number_from_env("ROUNDS", 1000_u32)?.to_string(),
        ])
        .env_remove("BROKERED_INSTANCE");
    let output = output_within(TIMEOUT * 10, &mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);
    let numbers: Vec<u32> = report
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let [before, after, children] = numbers[..] else {
        return Err(report.into());
    };
    assert_eq!(before, after, "descriptors");
    assert_eq!(children, 1, "only the last daemon is left: {report}");
    Ok(())
}

/// Processes that use all CPU time that they get, until this is dropped.
struct BusyProcesses(Vec<Child>);

impl BusyProcesses {
    fn start(number: usize) -> Result<Self, Box<dyn Error>> {
        let mut processes = Self(Vec::new());
        for _ in 0..number {
            let mut busy = Command::new("sh");
            processes
                .0
                .push(busy.args(["-c", "while :; do :; done"]).spawn()?);
        }
        Ok(processes)
    }
}

impl Drop for BusyProcesses {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
        }
        for process in &mut self.0 {
            let _ = process.wait();
        }
    }
}

/// `BUSY` sets the number of processes; the full tier runs 200.
#[test]
fn at_nice_19_among_busy_processes_a_launch_succeeds() -> TestResult {
    if !has_requirements(&["nice"]) {
        return Ok(());
    }
    let busy = number_from_env("BUSY", 16)?;
    let fixture = Fixture::new()?;
    let client = fixture.client_command("pid");
    let mut command = fixture.command("nice");
    command
        .args(["-n", "19"])
        .arg(client.get_program())
        .args(client.get_args())
        .env("TEST_CLIENT_DEADLINE_MS", "120000")
        .env_remove("BROKERED_INSTANCE");
    let processes = BusyProcesses::start(busy)?;
    let began = Instant::now();
    let output = output_within(TIMEOUT * 10, &mut command);
    let took = began.elapsed();
    drop(processes);
    eprintln!("a client at nice 19 among {busy} busy processes: {took:?}");
    let pid = replied_pid(&fixture, &output)?;
    assert_eq!(fixture.request("pid")?, pid, "a slow daemon is not killed");
    Ok(())
}
