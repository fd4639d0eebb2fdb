//! Daemons started by hand: one holder despite stale files, and a clear error for each wrong precondition.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{
    ChildProcess, Fixture, REENTER_MAIN, ROOT, SINGLE_INSTANCE_DAEMON, Signal, TEST_CLIENT,
    TEST_DAEMON, TestResult, as_user_nobody, chown, has_requirements, number_from_env, read_line,
    set_mode, stderr, stdout, wait_until,
};

// One holder

#[test]
fn a_killed_daemon_can_be_started_again_at_once() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.start_daemon()?;
    let pid = first.pid();
    first.signal(Signal::SIGKILL);
    first.wait_with_output()?;
    assert!(fixture.socket()?.exists(), "the stale socket is left");
    let second = fixture.start_daemon()?;
    assert_ne!(second.pid(), pid);
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        second.pid().to_string()
    );
    Ok(())
}

#[test]
fn a_second_daemon_exits_with_69_and_changes_no_file() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    let record = fixture.record()?;
    let second = fixture.command(TEST_DAEMON).output()?;
    assert_eq!(second.status.code(), Some(69));
    let message = stderr(&second);
    assert!(message.contains("already bound"), "{message}");
    assert!(
        message.contains(&format!("process {}", first.pid())),
        "{message}"
    );
    assert_eq!(fixture.record()?, record);
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        first.pid().to_string()
    );
    Ok(())
}

/// `ROUNDS` sets the number of rounds; the full tier runs 10,000.
#[test]
fn eight_starters_over_stale_files_yield_one_holder() -> TestResult {
    let fixture = Fixture::new()?;
    for round in 0..number_from_env("ROUNDS", 300)? {
        race(&fixture, round)?;
    }
    Ok(())
}

/// One round. The holder of the previous round was killed, so its files are stale.
fn race(fixture: &Fixture, round: u32) -> TestResult {
    let mut starters = Vec::new();
    for _ in 0..8 {
        let mut command = fixture.command(TEST_DAEMON);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        starters.push(ChildProcess(child));
    }
    let mut exited = 0;
    wait_until("seven starters exit", || {
        starters.retain_mut(|starter| match starter.0.try_wait() {
            Ok(Some(status)) => {
                assert_eq!(status.code(), Some(69), "round {round}");
                exited += 1;
                false
            }
            _ => true,
        });
        exited >= 7
    });
    assert_eq!(starters.len(), 1, "round {round}: no holder");
    let holder = &starters[0];
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        holder.pid().to_string()
    );
    assert_eq!(fixture.record_value("PID")?, holder.pid().to_string());
    assert!(!fixture.is_lock_free()?);
    Ok(())
}

// Exit codes

#[test]
fn help_and_version_create_no_files() -> TestResult {
    let fixture = Fixture::new()?;
    let help = fixture.command(TEST_DAEMON).arg("--help").output()?;
    assert!(help.status.success());
    for part in [
        "daemon-tests 0.1.0",
        "/runtime/test-daemon-",
        "BROKERED_INSTANCE",
        "  73  ",
    ] {
        assert!(stdout(&help).contains(part), "{part}: {}", stdout(&help));
    }
    let version = fixture.command(TEST_DAEMON).arg("--version").output()?;
    assert_eq!(stdout(&version), "daemon-tests 0.1.0\n");
    assert_eq!(fs::read_dir(fixture.runtime_directory())?.count(), 0);
    Ok(())
}

#[test]
fn a_failed_load_exits_with_70_and_its_reason() -> TestResult {
    let fixture = Fixture::new()?;
    let failed = fixture
        .command(TEST_DAEMON)
        .env(daemon_tests::LOAD_ERROR, "no such shard")
        .output()?;
    assert_eq!(failed.status.code(), Some(70));
    let message = stderr(&failed);
    assert!(
        message.contains("Loaded failed: no such shard"),
        "{message}"
    );
    assert_eq!(fixture.record_value("PHASE")?, "failed");
    assert!(fixture.record_value("FAILURE")?.contains("no such shard"));
    assert!(!fixture.socket()?.exists());
    assert!(fixture.is_lock_free()?);
    Ok(())
}

#[test]
fn the_lock_is_released_when_main_fails_or_panics() -> TestResult {
    for (result, code, reason) in [
        ("error", 1, "main returned an error"),
        ("panic", 101, "the test requested this panic"),
    ] {
        let fixture = Fixture::new()?;
        let ended = fixture
            .command(TEST_DAEMON)
            .env(daemon_tests::MAIN_RESULT, result)
            .output()?;
        assert_eq!(ended.status.code(), Some(code), "{}", stderr(&ended));
        assert!(!fixture.socket()?.exists());
        assert!(fixture.is_lock_free()?);
        let failure = fixture.record_value("FAILURE")?;
        assert!(failure.contains(reason), "{failure}");
    }
    Ok(())
}

#[test]
fn calling_main_twice_exits_with_70() -> TestResult {
    let fixture = Fixture::new()?;
    let reentered = fixture.command_without_instance(REENTER_MAIN).output()?;
    assert_eq!(reentered.status.code(), Some(70));
    assert!(
        stderr(&reentered).contains("main was called twice"),
        "{}",
        stderr(&reentered)
    );
    assert_eq!(stdout(&reentered), "");
    Ok(())
}

// Wrong directories

#[test]
fn a_per_directory_daemon_requires_a_directory() -> TestResult {
    let fixture = Fixture::new()?;
    let none = fixture.command_without_instance(TEST_DAEMON).output()?;
    assert_refused(&none, 64, &["BROKERED_INSTANCE"]);
    let missing = fixture.path().join("missing");
    let gone = fixture
        .command(TEST_DAEMON)
        .env("BROKERED_INSTANCE", &missing)
        .output()?;
    assert_refused(&gone, 64, &[text(&missing)]);
    Ok(())
}

#[test]
fn a_relative_runtime_directory_is_refused() -> TestResult {
    let fixture = Fixture::new()?;
    let relative = fixture
        .command(TEST_DAEMON)
        .env("BROKERED_RUNTIME_DIR", "somewhere")
        .current_dir(fixture.path())
        .output()?;
    assert_refused(&relative, 64, &["somewhere", "relative"]);
    assert!(!fixture.path().join("somewhere").exists());
    Ok(())
}

#[test]
fn a_symbolic_link_is_refused_at_each_directory_level() -> TestResult {
    let fixture = Fixture::new()?;
    let link = fixture.path().join("link");
    symlink(fixture.runtime_directory(), &link)?;
    let outer = fixture
        .command(TEST_DAEMON)
        .env("BROKERED_RUNTIME_DIR", &link)
        .output()?;
    assert_refused(&outer, 73, &[text(&link), "symbolic link"]);

    // With a trailing slash, `lstat` would follow the link.
    for slash in ["/", "/."] {
        let mut spelled = link.clone().into_os_string();
        spelled.push(slash);
        let outer = fixture
            .command(TEST_DAEMON)
            .env("BROKERED_RUNTIME_DIR", spelled)
            .output()?;
        assert_refused(&outer, 73, &[text(&link), "symbolic link"]);
    }

    let elsewhere = fixture.path().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    set_mode(&elsewhere, 0o700)?;
    symlink(&elsewhere, fixture.runtime_directory().join("single"))?;
    let inner = single_instance(&fixture).output()?;
    assert_refused(&inner, 73, &["/runtime/single", "symbolic link"]);
    assert_eq!(fs::read_dir(&elsewhere)?.count(), 0);
    Ok(())
}

#[test]
fn a_directory_with_another_mode_than_0700_is_refused_at_each_level() -> TestResult {
    for mode in [0o770, 0o701, 0o777, 0o500] {
        let fixture = Fixture::new()?;
        set_mode(&fixture.runtime_directory(), mode)?;
        let outer = single_instance(&fixture).output()?;
        assert_refused(&outer, 73, &["/runtime has mode", &format!("{mode:04o}")]);
        set_mode(&fixture.runtime_directory(), 0o700)?;

        let instance = fixture.runtime_directory().join("single");
        fs::create_dir(&instance)?;
        set_mode(&instance, mode)?;
        let inner = single_instance(&fixture).output()?;
        assert_refused(
            &inner,
            73,
            &["/runtime/single has mode", &format!("{mode:04o}")],
        );
        assert_eq!(fs::read_dir(&instance)?.count(), 0);
    }
    Ok(())
}

#[test]
fn a_file_as_the_runtime_directory_is_refused() -> TestResult {
    let fixture = Fixture::new()?;
    let file = fixture.path().join("file");
    fs::write(&file, "content")?;
    let refusal = single_instance(&fixture)
        .env("BROKERED_RUNTIME_DIR", &file)
        .output()?;
    assert_refused(&refusal, 73, &[text(&file), "not a directory"]);
    assert_eq!(fs::read_to_string(&file)?, "content");
    Ok(())
}

#[test]
fn a_foreign_users_directory_is_refused_at_each_level() -> TestResult {
    if !has_requirements(&[ROOT]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    chown(&fixture.runtime_directory(), "65534")?;
    let outer = single_instance(&fixture).output()?;
    assert_refused(&outer, 73, &["/runtime belongs to user 65534"]);
    chown(&fixture.runtime_directory(), "0")?;

    let instance = fixture.runtime_directory().join("single");
    fs::create_dir(&instance)?;
    set_mode(&instance, 0o700)?;
    chown(&instance, "65534")?;
    let inner = single_instance(&fixture).output()?;
    assert_refused(&inner, 73, &["/runtime/single belongs to user 65534"]);
    Ok(())
}

#[test]
fn an_unwritable_parent_directory_is_refused() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    set_mode(fixture.path(), 0o755)?;
    let runtime = fixture.path().join("readonly/runtime");
    fs::create_dir(fixture.path().join("readonly"))?;
    let command = single_instance(&fixture);
    let refusal = as_user_nobody(&command)
        .env("BROKERED_RUNTIME_DIR", &runtime)
        .output()?;
    assert_refused(&refusal, 73, &[text(&runtime), "Permission denied"]);
    assert!(!runtime.exists());
    Ok(())
}

#[test]
fn a_full_disk_fails_the_start_with_its_reason() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    // The inodes suffice for the runtime directory, then also for the instance directory, then also for the socket.
    for (inodes, code) in [(1, 73), (2, 71), (3, 73)] {
        let script = "mount -t tmpfs -o mode=0700,nr_inodes=\"$1\" none \"$2\" && exec \"$3\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", script, "sh", &inodes.to_string()])
            .arg(fixture.runtime_directory())
            .arg(SINGLE_INSTANCE_DAEMON)
            .env("BROKERED_RUNTIME_DIR", fixture.runtime_directory())
            .env_remove("BROKERED_INSTANCE");
        let full = command.output()?;
        assert_refused(&full, code, &["No space left on device", "/runtime/single"]);
    }
    Ok(())
}

// The endpoint

#[test]
fn a_file_that_is_not_our_socket_is_never_unlinked() -> TestResult {
    let fixture = Fixture::new()?;
    let instance = fixture.runtime_directory().join("single");
    fs::create_dir(&instance)?;
    set_mode(&instance, 0o700)?;
    let socket = instance.join("socket");

    fs::write(&socket, "precious")?;
    let file = single_instance(&fixture).output()?;
    assert_refused(&file, 71, &[text(&socket), "a regular file is in the way"]);
    assert_eq!(fs::read_to_string(&socket)?, "precious");
    fs::remove_file(&socket)?;

    fs::create_dir(&socket)?;
    let directory = single_instance(&fixture).output()?;
    assert_refused(
        &directory,
        71,
        &[text(&socket), "a directory is in the way"],
    );
    fs::remove_dir(&socket)?;

    if has_requirements(&[ROOT]) {
        let _foreign_listener = UnixListener::bind(&socket)?;
        chown(&socket, "65534")?;
        let foreign = single_instance(&fixture).output()?;
        assert_refused(&foreign, 71, &[text(&socket), "socket of user 65534"]);
        assert!(socket.exists());
    }
    Ok(())
}

#[test]
fn client_and_daemon_shorten_a_path_that_is_too_long_for_a_socket() -> TestResult {
    let fixture = Fixture::new()?;
    let long = fixture.path().join("long".repeat(30));
    let mut daemon = fixture.command(TEST_DAEMON);
    daemon.env("BROKERED_RUNTIME_DIR", &long).arg("--help");
    let help = stdout(&daemon.output()?);
    let endpoint = help
        .lines()
        .map(str::trim)
        .find(|line| line.ends_with("/socket"))
        .ok_or("no endpoint in the help")?
        .to_owned();
    assert!(endpoint.starts_with("/tmp/brokered-"), "{endpoint}");

    let mut client = fixture.client_command("pid");
    let output = client.env("BROKERED_RUNTIME_DIR", &long).output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let pid = stdout(&output);
    let instance = Path::new(&endpoint).parent().ok_or("no directory")?;
    let record = fs::read_to_string(instance.join("record"))?;
    assert!(record.contains(&format!("PID={pid}")), "{record}");
    assert!(
        record.contains(&format!("ENDPOINT={endpoint}\n")),
        "{record}"
    );
    common::signal_process(pid.trim().parse()?, Signal::SIGTERM);
    wait_until("the daemon ends", || !instance.join("record").exists());
    fs::remove_dir_all(instance)?;
    Ok(())
}

// Messages

#[test]
fn help_prints_an_endpoint_that_socat_can_use() -> TestResult {
    if !has_requirements(&["socat"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let _daemon = fixture.start_daemon()?;
    let help = stdout(&fixture.command(TEST_DAEMON).arg("--help").output()?);
    let endpoint = help
        .lines()
        .map(str::trim)
        .find(|line| line.ends_with("/socket"))
        .ok_or("no endpoint in the help")?
        .to_owned();
    let mut socat = Command::new("socat")
        .args(["-t5", "-", &format!("UNIX-CONNECT:{endpoint}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writeln!(socat.stdin.take().ok_or("no stdin")?, "hello")?;
    assert_eq!(stdout(&socat.wait_with_output()?), "hello\n");
    Ok(())
}

#[test]
fn a_daemon_on_a_terminal_prints_its_endpoint() -> TestResult {
    if !has_requirements(&["script"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut on_terminal = fixture.command("script");
    on_terminal.args(["--quiet", "--return", "--command", TEST_DAEMON, "/dev/null"]);
    let daemon = fixture.start(on_terminal)?;
    wait_until("the record exists", || fixture.record_value("PID").is_ok());
    common::signal_process(fixture.record_value("PID")?.parse()?, Signal::SIGTERM);
    let message = stdout(&daemon.wait_with_output()?);
    let socket = fixture.socket()?;
    assert!(
        message.contains(&format!("test-daemon listens on {}", socket.display())),
        "{message}"
    );
    assert!(message.contains("socat - UNIX-CONNECT:"), "{message}");
    Ok(())
}

#[test]
fn no_message_advises_deleting_a_file() {
    // All messages are compiled in, so a search of the executables finds them.
    for program in [TEST_DAEMON, TEST_CLIENT] {
        let bytes = fs::read(program).expect("the executable");
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for advice in [
            "delete the file",
            "remove the file",
            "rm -f",
            "delete the socket",
        ] {
            assert!(!text.contains(advice), "{program} contains {advice:?}");
        }
    }
}

fn single_instance(fixture: &Fixture) -> Command {
    fixture.command_without_instance(SINGLE_INSTANCE_DAEMON)
}

/// Asserts the exit code, and that standard error contains all the parts.
#[track_caller]
fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}
