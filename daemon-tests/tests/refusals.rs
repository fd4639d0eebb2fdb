//! Refused system calls: the error tells another user, a mode and a sandbox apart, and its advice helps.

#![cfg(target_os = "linux")]

mod common;
#[path = "common/restricted.rs"]
mod restricted;
#[path = "common/tool.rs"]
mod tool;

use std::path::Path;
use std::process::{Command, Output};

use common::{
    Fixture, ROOT, TEST_DAEMON, TIMEOUT, TestResult, as_user_nobody, assert_advises_no_deletion,
    chown, copy_executable, has_requirements, output_within, replied_pid, set_mode, stderr, stdout,
    wait_until,
};
use restricted::{as_user_of_its_own, can_restrict, is_permitted, restricted, unused_user, wrap};

const OPERATOR: &str = env!("CARGO_BIN_EXE_test-operator");

fn operator(fixture: &Fixture, command: &str) -> Command {
    let mut operator = fixture.command_without_instance(OPERATOR);
    operator
        .args([command, "5000"])
        .arg(fixture.project_directory());
    operator
}

/// The message of a command that fails, and not because of a signal.
#[track_caller]
fn failure(output: &Output) -> String {
    let message = stderr(output);
    assert!(
        output.status.code().is_some_and(|code| code != 0),
        "{}: {}{message}",
        output.status,
        stdout(output)
    );
    assert_advises_no_deletion(&message);
    message
}

/// Asserts that a message names a path below the runtime directory, and a sandbox as the cause.
#[track_caller]
fn assert_names_the_sandbox(fixture: &Fixture, case: &str, message: &str) {
    let runtime = fixture.runtime_directory().display().to_string();
    for part in [&runtime, "sandbox", "BROKERED_DISABLE=1"] {
        assert!(message.contains(part), "{case}: no {part}: {message}");
    }
    assert!(!message.contains("as the user who"), "{case}: {message}");
    assert!(!message.contains("chmod"), "{case}: {message}");
}

#[test]
fn a_client_in_a_sandbox_gets_an_error_that_names_it() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    for restriction in [
        "deny=socket:EPERM",
        "deny=socket:EACCES",
        "deny=socket:EAFNOSUPPORT",
        "deny=connect:EPERM",
        "deny=connect:ENOSYS",
        "deny=bind:EPERM",
        "deny=bind:EACCES",
        "deny=flock:EPERM",
        "deny=socketpair:EPERM",
        "deny=sendmsg:EPERM",
        "deny=clone3:EPERM",
    ] {
        let fixture = Fixture::new()?;
        let mut client = restricted(&[restriction], &fixture.client_command("pid"));
        let message = failure(&output_within(TIMEOUT, &mut client));
        if restriction == "deny=clone3:EPERM" {
            // The path is that of the executable.
            assert!(message.contains(TEST_DAEMON), "{message}");
            assert!(message.contains("sandbox"), "{message}");
        } else if restriction.contains("bind") && cfg!(brokered_portable) {
            // The daemon binds, and its output has the reason.
            assert!(message.contains("sandbox"), "{message}");
        } else {
            assert_names_the_sandbox(&fixture, restriction, &message);
        }
        // The advice: the client does without the daemon.
        let disabled = output_within(TIMEOUT, client.env("BROKERED_DISABLE", "1"));
        assert!(failure(&disabled).contains("is disabled by BROKERED_DISABLE"));
        replied_pid(
            &fixture,
            &output_within(TIMEOUT, &mut fixture.client_command("pid")),
        )?;
    }
    Ok(())
}

#[test]
fn a_daemon_in_a_sandbox_names_it_and_leaves_the_next_one_alone() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    for (restrictions, code) in [
        (&["deny=socket:EPERM"][..], 71),
        (&["deny=bind:EPERM"], 71),
        (&["deny=flock:EPERM"], 73),
        (&["deny=rename:EPERM", "deny=renameat:EPERM"], 73),
    ] {
        let fixture = Fixture::new()?;
        let mut daemon = restricted(restrictions, &fixture.command(TEST_DAEMON));
        let output = output_within(TIMEOUT, &mut daemon);
        let message = failure(&output);
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert_names_the_sandbox(&fixture, restrictions[0], &message);
        assert!(fixture.is_lock_free()?);
        fixture.start_daemon()?;
    }
    Ok(())
}

#[test]
fn an_operator_in_a_sandbox_gets_an_error_that_names_it() -> TestResult {
    if !can_restrict() {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let _daemon = fixture.start_daemon()?;
    for command in ["status", "stop", "wait"] {
        for restriction in ["deny=socket:EPERM", "deny=connect:EACCES"] {
            let mut operator = restricted(&[restriction], &operator(&fixture, command));
            let message = failure(&output_within(TIMEOUT, &mut operator));
            assert_names_the_sandbox(&fixture, command, &message);
        }
    }
    Ok(())
}

#[test]
fn landlock_is_a_sandbox_and_not_a_mode() -> TestResult {
    if !can_restrict() || !is_permitted("write-below=/tmp") {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let elsewhere = format!("write-below={}", fixture.project_directory().display());
    let confined = |command: &Command| {
        let mut command = restricted(&[&elsewhere], command);
        output_within(TIMEOUT, &mut command)
    };
    // First the instance directory cannot be created, and then, once there is one, the endpoint.
    for _ in 0..2 {
        for command in [fixture.client_command("pid"), fixture.command(TEST_DAEMON)] {
            let message = failure(&confined(&command));
            assert!(message.contains("Permission denied"), "{message}");
            assert_names_the_sandbox(&fixture, "Landlock", &message);
        }
        let pid = fixture.request("pid")?;
        // A running daemon can be used and stopped, because Landlock does not restrict that.
        assert_eq!(
            replied_pid(&fixture, &confined(&fixture.client_command("pid")))?,
            pid
        );
        let stopped = confined(&operator(&fixture, "stop"));
        assert!(stopped.status.success(), "{}", stderr(&stopped));
    }
    Ok(())
}

#[test]
fn a_daemon_of_another_user_is_named_with_both_users() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let _daemon = fixture.start_daemon()?;
    set_mode(fixture.path(), 0o755)?;
    for command in [
        fixture.client_command("pid"),
        operator(&fixture, "status"),
        operator(&fixture, "stop"),
        fixture.command(TEST_DAEMON),
    ] {
        let message = failure(&output_within(TIMEOUT, &mut as_user_nobody(&command)));
        let runtime = fixture.runtime_directory();
        for part in [
            &format!("{} belongs to user 0", runtime.display()),
            "runs as user 65534",
            "run it as the user who owns the directory, or set BROKERED_RUNTIME_DIR",
        ] {
            assert!(message.contains(part), "no {part}: {message}");
        }
        assert!(!message.contains("sandbox"), "{message}");
    }
    Ok(())
}

/// The command that a message advises, between backticks.
fn advised_command(message: &str) -> Option<&str> {
    let from = message.find("`chmod ")? + 1;
    let length = message[from..].find('`')?;
    Some(&message[from..from + length])
}

/// Runs what the message of a refused command advises, until the command succeeds.
fn follow_the_advice(fixture: &Fixture, command: &Command, refused: &Path) -> TestResult {
    let output = output_within(TIMEOUT, &mut as_user_nobody(command));
    let message = failure(&output);
    assert!(message.contains("Permission denied"), "{message}");
    assert!(!message.contains("sandbox"), "{message}");
    assert!(!message.contains("as the user who"), "{message}");
    let advised = advised_command(&message).ok_or_else(|| message.clone())?;
    assert!(
        advised.ends_with(&refused.display().to_string()),
        "{message}"
    );
    let mut shell = fixture.command("sh");
    let output = output_within(TIMEOUT, &mut as_user_nobody(shell.args(["-c", advised])));
    assert!(output.status.success(), "{}", stderr(&output));
    let output = output_within(TIMEOUT, &mut as_user_nobody(command));
    assert!(output.status.success(), "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_mode_is_named_with_the_chmod_that_mends_it() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    chown(fixture.path(), "65534:65534")?;
    let client = fixture.client_command("pid");
    let output = output_within(TIMEOUT, &mut as_user_nobody(&client));
    assert!(output.status.success(), "{}", stderr(&output));
    let runtime = fixture.runtime_directory();
    let instance = fixture.instance_directory()?;
    for (path, mode) in [
        (&runtime, 0o600),
        (&runtime, 0),
        (&instance, 0o600),
        (&instance, 0),
        (&instance.join("socket"), 0o400),
    ] {
        set_mode(path, mode)?;
        follow_the_advice(&fixture, &client, path)?;
    }
    let control = instance.join("control");
    set_mode(&control, 0)?;
    follow_the_advice(&fixture, &operator(&fixture, "status"), &control)?;

    let stopped = output_within(TIMEOUT, &mut as_user_nobody(&operator(&fixture, "stop")));
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    let log = instance.join("log");
    set_mode(&log, 0o400)?;
    follow_the_advice(&fixture, &client, &log)
}

#[test]
fn a_parent_that_cannot_be_written_to_is_named() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    std::fs::remove_dir(fixture.runtime_directory())?;
    chown(fixture.path(), "65534:65534")?;
    set_mode(fixture.path(), 0o555)?;
    follow_the_advice(&fixture, &fixture.client_command("pid"), fixture.path())
}

/// Takes the attribute `i` away again, without which the directory of the test could not be removed.
struct Immutable<'a>(&'a Path);

impl<'a> Immutable<'a> {
    /// `None` if the file system has no such attribute.
    fn set(path: &'a Path) -> Option<Self> {
        let output = Command::new("chattr").arg("+i").arg(path).output().ok()?;
        output.status.success().then_some(Self(path))
    }
}

impl Drop for Immutable<'_> {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(self.0).output();
    }
}

#[test]
fn an_immutable_directory_is_named_and_is_not_a_sandbox() -> TestResult {
    if !has_requirements(&[ROOT, "chattr"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let runtime = fixture.runtime_directory();
    let Some(immutable) = Immutable::set(&runtime) else {
        eprintln!("skipped: the file system has no immutable directories");
        return Ok(());
    };
    for command in [fixture.client_command("pid"), fixture.command(TEST_DAEMON)] {
        let mut command = wrap(Command::new("env"), &command);
        let message = failure(&output_within(TIMEOUT, &mut command));
        let shown = format!("`lsattr -d {}`", runtime.display());
        assert!(message.contains(&shown), "{message}");
        assert!(!message.contains("sandbox"), "{message}");
    }
    drop(immutable);
    fixture.request("pid")?;
    Ok(())
}

#[test]
fn in_a_read_only_mount_a_running_daemon_serves_and_none_is_started() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let read_only = |command: &Command| -> Output {
        let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 99
            shift; exec \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(fixture.runtime_directory());
        output_within(TIMEOUT, &mut wrap(unshare, command))
    };
    let pid = fixture.request("pid")?;
    let served = read_only(&fixture.client_command("pid"));
    assert_eq!(replied_pid(&fixture, &served)?, pid);
    let stopped = read_only(&operator(&fixture, "stop"));
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    for command in [fixture.client_command("pid"), fixture.command(TEST_DAEMON)] {
        let message = failure(&read_only(&command));
        for part in [
            &fixture.instance_directory()?.display().to_string(),
            "Read-only file system",
            "set BROKERED_RUNTIME_DIR to a directory that can be written",
        ] {
            assert!(message.contains(part), "no {part}: {message}");
        }
    }
    fixture.request("pid")?;
    Ok(())
}

#[test]
fn a_program_that_may_not_be_executed_is_named_with_the_reason() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv", "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    chown(fixture.path(), "65534:65534")?;
    let directory = fixture.path().join("programs");
    std::fs::create_dir(&directory)?;
    let program = directory.join("daemon");
    copy_executable(TEST_DAEMON, &program)?;
    set_mode(&program, 0o700)?;
    let client = as_user_nobody(&fixture.client_command_for(&program, "pid"));
    let mut client = wrap(Command::new("env"), &client);
    let message = failure(&output_within(TIMEOUT, &mut client));
    let owner = format!("{} belongs to user 0", program.display());
    for part in [&owner, "ask its owner", "`Instance::program`"] {
        assert!(message.contains(part), "no {part}: {message}");
    }
    assert!(!message.contains("RUNTIME_DIR"), "{message}");

    set_mode(&program, 0o755)?;
    let mut unshare = Command::new("unshare");
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,noexec,bind \"$1\" || exit 99
        shift; exec \"$@\"";
    unshare
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&directory);
    let message = failure(&output_within(TIMEOUT, &mut wrap(unshare, &client)));
    assert!(
        message.contains(&program.display().to_string()),
        "{message}"
    );
    assert!(message.contains("is mounted `noexec`"), "{message}");
    let mut client = as_user_nobody(&fixture.client_command_for(&program, "pid"));
    replied_pid(&fixture, &output_within(TIMEOUT, &mut client))?;
    Ok(())
}

#[test]
fn a_program_without_the_right_to_execute_is_named_with_the_chmod_that_mends_it() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.path().join("it's a directory; $HOME");
    std::fs::create_dir(&directory)?;
    let program = directory.join("daemon");
    copy_executable(TEST_DAEMON, &program)?;
    for mode in [0o644, 0o600, 0o444] {
        set_mode(&program, mode)?;
        let mut client = fixture.client_command_for(&program, "pid");
        let message = failure(&output_within(TIMEOUT, &mut client));
        let named = format!("{} belongs to this user", program.display());
        assert!(message.contains(&named), "{message}");
        let advised = advised_command(&message).ok_or_else(|| message.clone())?;
        let mut shell = fixture.command("sh");
        let output = output_within(TIMEOUT, shell.args(["-c", advised]));
        assert!(output.status.success(), "{advised}: {}", stderr(&output));
        replied_pid(&fixture, &output_within(TIMEOUT, &mut client))?;
        let stopped = output_within(TIMEOUT, &mut operator(&fixture, "stop"));
        assert!(stopped.status.success(), "{}", stderr(&stopped));
    }
    Ok(())
}

#[test]
fn a_directory_or_a_script_without_interpreter_as_program_is_not_a_sandbox() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.path().join("directory");
    std::fs::create_dir(&directory)?;
    let interpreter = fixture.path().join("interpreter");
    std::fs::write(&interpreter, "")?;
    set_mode(&interpreter, 0o644)?;
    let script = fixture.path().join("script");
    std::fs::write(&script, format!("#!{}\n", interpreter.display()))?;
    set_mode(&script, 0o755)?;
    for program in [&directory, &script] {
        let mut client = fixture.client_command_for(program, "pid");
        let message = failure(&output_within(TIMEOUT, &mut client));
        for part in [
            &program.display().to_string(),
            "Permission denied",
            "check its permissions, and that it is built for this machine",
        ] {
            assert!(message.contains(part), "no {part}: {message}");
        }
        assert!(!message.contains("sandbox"), "{message}");
    }
    Ok(())
}

/// In a user namespace, all users without a number there look alike.
#[test]
fn without_user_numbers_a_daemon_of_another_user_is_still_foreign() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv", "unshare"]) {
        return Ok(());
    }
    let user = unused_user();
    let in_namespace = |command: &Command| -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--"]);
        as_user_of_its_own(user, &wrap(unshare, command))
    };
    if !in_namespace(&Command::new("true")).status()?.success() {
        eprintln!("skipped: users may not create user namespaces");
        return Ok(());
    }
    let own = Fixture::new()?;
    chown(own.path(), &format!("{user}:{user}"))?;
    let client = in_namespace(&own.client_command("pid"));
    let mut client = wrap(Command::new("env"), &client);
    replied_pid(&own, &output_within(TIMEOUT, &mut client))?;

    let foreign = Fixture::new()?;
    let _daemon = foreign.start_daemon()?;
    let instance = foreign.instance_directory()?;
    for path in [foreign.path(), &foreign.runtime_directory(), &instance] {
        set_mode(path, 0o755)?;
    }
    for socket in ["socket", "control"] {
        let socket = instance.join(socket);
        wait_until("it is bound", || socket.exists());
        set_mode(&socket, 0o777)?;
    }
    for command in [foreign.client_command("pid"), operator(&foreign, "status")] {
        let message = failure(&output_within(TIMEOUT, &mut in_namespace(&command)));
        assert!(
            message.contains("a process of user 65534") && message.contains("nothing was sent"),
            "{message}"
        );
    }
    Ok(())
}

#[test]
fn the_doctor_finds_what_refuses_sockets_and_files() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) || !can_restrict() {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    fixture.brokered(&["doctor"]).success();
    let doctor = fixture.tool(&["doctor"]);
    let mut sandboxed = restricted(&["deny=socket:EPERM"], &doctor);
    let output = output_within(TIMEOUT, &mut sandboxed);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let report = stdout(&output);
    assert!(
        report.contains("cannot create `AF_UNIX` sockets"),
        "{report}"
    );
    assert!(report.contains("sandbox"), "{report}");

    let mut unshare = Command::new("unshare");
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 99
        shift; exec \"$@\"";
    unshare
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(fixture.runtime_directory());
    let output = output_within(TIMEOUT, &mut wrap(unshare, &doctor));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report = stdout(&output);
    for part in ["no file can be created in it", "Read-only file system"] {
        assert!(report.contains(part), "no {part}: {report}");
    }
    assert_advises_no_deletion(&report);
    Ok(())
}
