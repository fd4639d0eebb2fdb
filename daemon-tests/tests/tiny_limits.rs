//! Tiny limits and missing parts of the system: a call works, or there is one error with the path and what to do. No
//! process hangs, is killed without a word, or becomes a second daemon.

#![cfg(target_os = "linux")]

mod common;
#[path = "common/restricted.rs"]
mod restricted;

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use common::{
    Fixture, ROOT, SINGLE_INSTANCE_DAEMON, Signal, TEST_DAEMON, TIMEOUT, TestResult,
    assert_advises_no_deletion, chown, has_requirements, output_within, replied_pid,
    signal_process, spawn_piped, stderr, stdout, wait_until,
};
use restricted::{as_user_of_its_own, can_restrict, restricted, unused_user, wrap};

const OPERATOR: &str = env!("CARGO_BIN_EXE_test-operator");

/// Asserts that a command has ended by itself, and returns its message. Empty if it succeeded.
#[track_caller]
fn ended(case: &str, output: &Output) -> String {
    let message = stderr(output);
    assert!(
        output.status.code().is_some_and(|code| code < 100),
        "{case}: {}: {message}",
        output.status
    );
    assert_advises_no_deletion(&message);
    if output.status.success() {
        String::new()
    } else {
        message
    }
}

#[test]
fn at_the_limit_of_file_sizes_a_launch_fails_with_its_reason() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    let mut failed = 0;
    for size in [0, 1, 30, 300, 600] {
        let fixture = Fixture::new()?;
        let limit = format!("limit=FSIZE:{size}");
        let mut client = restricted(&[&limit], &fixture.client_command("pid"));
        let message = ended(&limit, &output_within(TIMEOUT, &mut client));
        if !message.is_empty() {
            failed += 1;
            let record = fixture.instance_directory()?.join("record");
            for part in [
                &record.display().to_string(),
                "File too large",
                "raise the limit of the size of files (`ulimit -f`)",
            ] {
                assert!(message.contains(part), "{limit}: no {part}: {message}");
            }
        }
        let next = output_within(TIMEOUT, &mut fixture.client_command("pid"));
        replied_pid(&fixture, &next)?;
    }
    assert!(failed >= 3, "only {failed} launches failed");
    Ok(())
}

#[test]
fn at_the_limit_of_file_sizes_a_daemon_by_hand_fails_with_its_exit_code() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut daemon = restricted(&["limit=FSIZE:0"], &fixture.command(TEST_DAEMON));
    let output = output_within(TIMEOUT, &mut daemon);
    assert_eq!(output.status.code(), Some(73), "{}", output.status);
    assert!(stderr(&output).contains("does not serve"), "{output:?}");
    fixture.start_daemon()?;
    Ok(())
}

/// The log of a launched daemon is a file, too.
#[test]
fn at_the_limit_of_file_sizes_a_refused_hand_off_has_its_exit_code() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let client = fixture.client_command_for(SINGLE_INSTANCE_DAEMON, "pid");
    let mut client = restricted(&["limit=FSIZE:0"], &client);
    let message = ended("another daemon", &output_within(TIMEOUT, &mut client));
    assert!(message.contains("(exit status: 64)"), "{message}");
    Ok(())
}

#[test]
fn a_limit_of_file_sizes_that_comes_later_kills_no_daemon() -> TestResult {
    if !has_requirements(&["prlimit"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let pid = fixture.request("pid")?;
    fixture.wait_for_phase("ready");
    let status = Command::new("prlimit")
        .args(["--pid", &pid, "--fsize=0:0"])
        .status()?;
    assert!(status.success());
    // The daemon prints the error of this handler, and its log has no room.
    assert_eq!(fixture.whole_reply("error")?, "");
    assert_eq!(fixture.request("pid")?, pid);
    // What the daemon starts is not affected.
    let children = fixture.whole_reply("children")?;
    assert!(children.contains("fd"), "{children}");
    Ok(())
}

/// The limit of processes counts threads, too.
#[test]
fn at_the_limit_of_threads_a_start_fails_with_its_reason() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) || !can_restrict() {
        return Ok(());
    }
    let mut failed = 0;
    for limit in 1..=4 {
        let limit = format!("limit=NPROC:{limit}");
        for is_launched in [false, true] {
            let user = unused_user();
            let fixture = Fixture::new()?;
            chown(fixture.path(), &format!("{user}:{user}"))?;
            let command = if is_launched {
                fixture.client_command("pid")
            } else if limit == "limit=NPROC:1" {
                fixture.command(TEST_DAEMON)
            } else {
                continue;
            };
            let limited = restricted(&[&limit], &as_user_of_its_own(user, &command));
            let mut limited = wrap(Command::new("env"), &limited);
            let message = ended(&limit, &output_within(TIMEOUT, &mut limited));
            if !message.is_empty() {
                failed += 1;
                let advice = "raise the limit of processes and threads (`ulimit -u`";
                assert!(message.contains(advice), "{limit}: {message}");
            }
            let mut next = as_user_of_its_own(user, &fixture.client_command("pid"));
            replied_pid(&fixture, &output_within(TIMEOUT, &mut next))?;
        }
    }
    assert!(failed >= 3, "only {failed} starts failed");
    Ok(())
}

#[test]
fn a_kernel_without_newer_calls_is_enough() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    let calls = [
        "close_range",
        "pidfd_open",
        "pidfd_send_signal",
        "openat2",
        "statx",
    ];
    // Old filters say `EPERM` for calls that they do not know. The C library itself needs `clone3` then.
    for error in ["ENOSYS", "EPERM"] {
        let mut denied: Vec<String> = calls
            .iter()
            .map(|call| format!("deny={call}:{error}"))
            .collect();
        if error == "ENOSYS" {
            denied.push("deny=clone3:ENOSYS".to_owned());
        }
        let denied: Vec<&str> = denied.iter().map(String::as_str).collect();
        let fixture = Fixture::new()?;
        let leak = "exec 9</dev/zero; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", leak, "sh"]);
        let client = restricted(&denied, &wrap(shell, &fixture.client_command("self")));
        let output = output_within(TIMEOUT, &mut wrap(Command::new("env"), &client));
        assert!(output.status.success(), "{error}: {}", stderr(&output));
        let inherited = stdout(&output);
        assert!(!inherited.contains("/dev/zero"), "{error}: {inherited}");
        let mut operator = fixture.command_without_instance(OPERATOR);
        operator
            .args(["stop", "20000"])
            .arg(fixture.project_directory());
        let stopped = output_within(TIMEOUT, &mut restricted(&denied, &operator));
        assert_eq!(stdout(&stopped), "Ended\n", "{}", stderr(&stopped));
    }
    Ok(())
}

#[cfg(not(brokered_portable))]
#[test]
fn without_pidfds_a_hung_daemon_is_still_killed() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    for denied in [
        ["deny=pidfd_open:EPERM", "deny=pidfd_send_signal:EPERM"],
        ["deny=pidfd_open:ENOSYS", "deny=pidfd_send_signal:ENOSYS"],
    ] {
        let fixture = Fixture::new()?;
        let hangs = common::script(&fixture, "exec sleep 600")?;
        let mut client = restricted(&denied, &fixture.client_command_for(hangs, "pid"));
        client.env("TEST_CLIENT_DEADLINE_MS", "4000");
        let message = ended("hung", &output_within(TIMEOUT, &mut client));
        assert!(message.contains("so it was killed"), "{message}");
        let next = output_within(TIMEOUT, &mut fixture.client_command("pid"));
        replied_pid(&fixture, &next)?;
    }
    Ok(())
}

#[cfg(not(brokered_portable))]
#[test]
fn without_pidfds_stop_signals_a_daemon_through_its_directory_in_proc() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    for denied in ["deny=pidfd_open:EPERM", "deny=pidfd_open:ENOSYS"] {
        let fixture = Fixture::new()?;
        // A hand-written backend has no control endpoint, so `stop` sends it a signal.
        let output = output_within(TIMEOUT, &mut fixture.backend_client("launcher-binds"));
        assert!(output.status.success(), "{}", stderr(&output));
        let mut operator = fixture.command_without_instance(OPERATOR);
        operator
            .args(["stop", "20000"])
            .env("TEST_OPERATOR_DAEMON", "backend");
        let stopped = output_within(TIMEOUT, &mut restricted(&[denied], &operator));
        assert_eq!(stdout(&stopped), "Signalled\n", "{}", stderr(&stopped));
        assert!(fixture.is_lock_free()?);
    }
    Ok(())
}

#[cfg(not(brokered_portable))]
#[test]
fn without_pidfds_an_error_of_the_operator_is_not_the_end_of_the_daemon() -> TestResult {
    if !can_restrict() || !has_requirements(&["strace"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let output = output_within(TIMEOUT, &mut fixture.backend_client("launcher-binds"));
    assert!(output.status.success(), "{}", stderr(&output));
    let pid = fixture.record_value("PID")?.parse()?;
    signal_process(pid, Signal::SIGSTOP);
    let mut operator = fixture.command_without_instance(OPERATOR);
    operator
        .args(["stop", "1000"])
        .env("TEST_OPERATOR_DAEMON", "backend");
    let operator = restricted(&["deny=pidfd_open:EPERM"], &operator);
    let trace = fixture.path().join("trace");
    let mut strace = Command::new("strace");
    strace.arg("-o").arg(&trace);
    strace.args(["-e", "inject=openat:error=EMFILE"]);
    for descriptor in 3..20 {
        strace.args(["-P", &format!("/proc/self/fd/{descriptor}/stat")]);
    }
    let message = ended(
        "EMFILE",
        &output_within(TIMEOUT, &mut wrap(strace, &operator)),
    );
    let trace = fs::read_to_string(trace)?;
    assert!(trace.contains("EMFILE"), "{trace}");
    assert!(!message.is_empty(), "it runs");
    assert!(!fixture.is_lock_free()?);
    signal_process(pid, Signal::SIGKILL);
    Ok(())
}

/// With retries, `accept` would use a whole processor, and clients would wait without limit.
#[test]
fn a_daemon_that_may_not_accept_ends_with_the_reason() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut daemon = restricted(&["deny=accept4:EPERM"], &fixture.command(TEST_DAEMON));
    let mut daemon = spawn_piped(&mut daemon);
    wait_until("it ends", || {
        // Where the daemon polls, it accepts only when there is a client.
        let _client = fixture.socket().map(UnixStream::connect);
        matches!(daemon.0.try_wait(), Ok(Some(_)))
    });
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(1), "{}", output.status);
    let message = stderr(&output);
    assert!(message.contains("Operation not permitted"), "{message}");
    fixture.start_daemon()?;
    Ok(())
}

#[test]
fn without_dev_a_launch_succeeds() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut unshare = Command::new("unshare");
    let script = "mount -t tmpfs none /dev || exit 99; exec \"$@\"";
    unshare.args(["--mount", "sh", "-c", script, "sh"]);
    let mut client = wrap(unshare, &fixture.client_command("pid"));
    replied_pid(&fixture, &output_within(TIMEOUT, &mut client))?;
    Ok(())
}

/// Its output goes to the log, which is at the limit, too.
#[test]
fn at_the_limit_of_file_sizes_a_hand_written_backend_reports_its_reason() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    for mode in ["launcher-binds", "daemon-binds"] {
        let fixture = Fixture::new()?;
        let mut client = restricted(&["limit=FSIZE:0"], &fixture.backend_client(mode));
        let message = ended(mode, &output_within(TIMEOUT, &mut client));
        for part in ["cannot write the record", "ulimit -f"] {
            assert!(message.contains(part), "{mode}: no {part}: {message}");
        }
        let next = output_within(TIMEOUT, &mut fixture.backend_client(mode));
        assert!(next.status.success(), "{mode}: {}", stderr(&next));
    }
    Ok(())
}

#[test]
fn without_proc_a_client_starts_its_own_executable_as_the_daemon() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut unshare = Command::new("unshare");
    let script = "mount -t tmpfs none /proc || exit 99; exec \"$@\"";
    unshare.args(["--mount", "sh", "-c", script, "sh"]);
    let client = env!("CARGO_BIN_EXE_client-and-daemon");
    let client = fixture.command_without_instance(client);
    let mut client = wrap(unshare, &client);
    let output = output_within(TIMEOUT, client.stdin(Stdio::null()));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("served by"), "{output:?}");
    Ok(())
}

#[test]
fn a_daemon_that_cannot_update_its_record_says_so_once_and_serves() -> TestResult {
    if !has_requirements(&["prlimit"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut daemon = spawn_piped(&mut fixture.command(TEST_DAEMON));
    wait_until("it accepts connections", || {
        fixture
            .whole_reply("pid")
            .is_ok_and(|reply| !reply.is_empty())
    });
    fixture.wait_for_phase("ready");
    let pid = daemon.pid();
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), "--fsize=1:1"])
        .status()?;
    assert!(status.success());
    // Each client of the control endpoint wakes the thread that tries again, while the connection holds up the end.
    let mut held = fixture.send("hold")?;
    assert_eq!(common::read_line(&mut held)?, "holding");
    signal_process(pid, Signal::SIGTERM);
    for _ in 0..5 {
        let mut operator = fixture.command_without_instance(OPERATOR);
        operator
            .args(["status", "20000"])
            .arg(fixture.project_directory());
        let status = output_within(TIMEOUT, &mut operator);
        assert!(status.status.success(), "{}", stderr(&status));
    }
    drop(held);
    wait_until("it ends", || matches!(daemon.0.try_wait(), Ok(Some(_))));
    let output = daemon.wait_with_output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let message = stderr(&output);
    let times = message.matches("cannot write the record").count();
    assert_eq!(times, 1, "{message}");
    assert!(
        message.contains("the daemon runs, and its record still says `ready`"),
        "{message}"
    );
    assert!(!message.contains("does not serve"), "{message}");
    let left: Vec<_> = fs::read_dir(fixture.instance_directory()?)?.collect();
    assert!(left.is_empty(), "{left:?}");
    assert_advises_no_deletion(&message);
    Ok(())
}

#[test]
fn a_control_endpoint_that_cannot_be_bound_is_reported_once() -> TestResult {
    let fixture = Fixture::new()?;
    drop(fixture.start_daemon()?);
    let control = fixture.instance_directory()?.join("control");
    let _ = fs::remove_file(&control);
    fs::create_dir(&control)?;
    let daemon = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    let mut held = fixture.send("hold")?;
    assert_eq!(common::read_line(&mut held)?, "holding");
    daemon.signal(Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    drop(held);
    let message = stderr(&daemon.wait_with_output()?);
    assert_eq!(
        message.matches("no control endpoint").count(),
        1,
        "{message}"
    );
    assert!(
        message.contains(&control.display().to_string()),
        "{message}"
    );
    Ok(())
}
