//! A daemon that is built with `panic = "abort"`: the reason of the panic is not lost with the process.

#![cfg(unix)]

mod common;

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use common::{
    ChildProcess, Fixture, TIMEOUT, TestResult, make_fifo, output_within, spawn_piped, stderr,
    stdout, wait_until, wait_within,
};
use daemon_tests::{LOAD_FIFO, PANICS_IN};

const SIGABRT: i32 = 6;

/// The panicking daemon, built with `panic = "abort"`. The crates that it uses are those of the other tests, which are
/// built for unwinding: only the executable knows how a panic ends.
fn panicking_daemon() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let unwinding = Path::new(env!("CARGO_BIN_EXE_panicking-daemon"));
        let profile = unwinding.parent().expect("the folder of the profile");
        let target = profile.parent().expect("the target directory");
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["rustc", "--quiet", "--offline", "--package", "daemon-tests"])
            .args(["--bin", "panicking-daemon", "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.args(["--", "-C", "panic=abort"]);
        let output = build.output().expect("cargo");
        assert!(output.status.success(), "{}", stderr(&output));
        unwinding.display().to_string()
    })
}

/// The daemon by hand, without a core dump.
fn daemon(fixture: &Fixture, panics_in: &str) -> Command {
    let mut command = fixture.command("sh");
    command
        .args(["-c", "ulimit -c 0; exec \"$1\"", "sh", panicking_daemon()])
        .env(PANICS_IN, panics_in);
    command
}

#[track_caller]
fn assert_aborted(output: &Output) {
    let signal = output.status.signal();
    assert_eq!(signal, Some(SIGABRT), "{}", stderr(output));
}

#[test]
fn a_panic_is_recorded_with_the_place_that_panicked() -> TestResult {
    let panicked = |place: &str| format!("{place} panicked");
    for (panics_in, reason) in [
        ("load", "loading First panicked: in load".to_owned()),
        (
            "background",
            "loading Later panicked: in background".to_owned(),
        ),
        ("main", "main panicked: in main".to_owned()),
        ("thread", panicked("the thread `worker`") + " at "),
        ("supervisor", panicked("the thread `brokered`") + " at "),
        ("everywhere", panicked("a thread without a name") + " at "),
        ("chained", "main panicked: chained".to_owned()),
    ] {
        let fixture = Fixture::new()?;
        let output = output_within(TIMEOUT, &mut daemon(&fixture, panics_in));
        assert_aborted(&output);
        // The standard library's own hook still prints.
        let message = stderr(&output);
        assert!(message.contains("panicked at daemon-tests"), "{message}");
        assert_eq!(fixture.record_value("PHASE")?, "failed", "{panics_in}");
        let recorded = fixture.record_value("FAILURE")?;
        assert!(recorded.starts_with(&reason), "{panics_in}: {recorded}");
        if panics_in == "chained" {
            assert!(message.contains("the hook of main"), "{message}");
        }
    }
    Ok(())
}

#[test]
fn a_hook_of_main_that_is_not_chained_replaces_the_record() -> TestResult {
    let fixture = Fixture::new()?;
    let output = output_within(TIMEOUT, &mut daemon(&fixture, "replaced"));
    assert_aborted(&output);
    assert!(stderr(&output).contains("the hook of main"));
    assert!(fixture.record_value("FAILURE").is_err(), "as documented");
    Ok(())
}

#[test]
fn the_launcher_receives_the_reason() -> TestResult {
    for (panics_in, reason) in [
        ("load", "loading First panicked: in load"),
        ("main", "main panicked: in main"),
    ] {
        let fixture = Fixture::new()?;
        let mut client = fixture.client_command_for(panicking_daemon(), "line");
        client
            .env(PANICS_IN, panics_in)
            .env("TEST_CLIENT_WAIT", "ready");
        let message = stderr(&output_within(TIMEOUT, &mut client));
        assert!(message.contains(reason), "{message}");
        assert!(message.contains("signal: 6"), "{message}");
        let recorded = fixture.record_value("FAILURE")?;
        assert!(recorded.starts_with(reason), "{recorded}");
    }
    Ok(())
}

#[test]
fn the_client_of_a_handler_that_panics_finds_the_reason() -> TestResult {
    let cut = "ä".repeat(100);
    for (line, reason) in [
        ("panic", "a handler panicked: in handler"),
        ("value", "a handler panicked: with a value that is not text"),
        ("long", &format!("a handler panicked: {cut}")),
        // No panic, so there is no reason.
        ("abort", "ended without reporting a reason"),
        ("overflow", "ended without reporting a reason"),
    ] {
        let fixture = Fixture::new()?;
        let mut client = fixture.client_command_for(panicking_daemon(), line);
        let message = stderr(&output_within(TIMEOUT, &mut client));
        assert!(message.contains(reason), "{line}: {message}");
        assert!(message.len() < 4096, "{line}: {}", message.len());
        let log = fs::read_to_string(fixture.instance_directory()?.join("log"))?;
        assert_eq!(log.contains("overflowed its stack"), line == "overflow");
    }
    Ok(())
}

#[test]
fn clients_on_the_control_endpoint_receive_the_reason() -> TestResult {
    for (panics_in, reason) in [
        ("load", "loading First panicked: in load"),
        ("background", "loading Later panicked: in background"),
    ] {
        let fixture = Fixture::new()?;
        let fifo = fixture.path().join("fifo");
        make_fifo(&fifo)?;
        let mut command = daemon(&fixture, panics_in);
        let daemon = spawn_piped(command.env(LOAD_FIFO, &fifo));
        let mut client = waiting_client(&fixture, &daemon)?;
        drop(fs::File::create(&fifo)?);
        let mut reply = String::new();
        client.read_to_string(&mut reply)?;
        assert!(reply.contains(&format!("FAILED={reason}")), "{reply}");
        assert!(reply.contains("PHASE=failed"), "{reply}");
        assert_aborted(&wait_within(TIMEOUT, daemon));
    }
    Ok(())
}

/// A client that has received the reply to `wait ready`, and waits for readiness.
fn waiting_client(
    fixture: &Fixture,
    daemon: &ChildProcess,
) -> Result<UnixStream, Box<dyn std::error::Error>> {
    let mut control = PathBuf::new();
    wait_until("the control endpoint is bound", || {
        let recorded = fixture.record_value("PID");
        recorded.is_ok_and(|pid| pid == daemon.pid().to_string())
            && fixture.instance_directory().is_ok_and(|directory| {
                control = directory.join("control");
                UnixStream::connect(&control).is_ok()
            })
    });
    let mut client = UnixStream::connect(control)?;
    client.set_read_timeout(Some(TIMEOUT))?;
    client.write_all(b"wait ready\n")?;
    let mut first = [0; 6];
    client.read_exact(&mut first)?;
    assert_eq!(&first, b"PHASE=");
    Ok(client)
}

#[test]
fn the_service_manager_receives_the_reason() -> TestResult {
    let fixture = Fixture::new()?;
    let path = fixture.path().join("notify");
    let listener = UnixDatagram::bind(&path)?;
    listener.set_read_timeout(Some(TIMEOUT))?;
    let mut command = daemon(&fixture, "main");
    assert_aborted(&output_within(TIMEOUT, command.env("NOTIFY_SOCKET", &path)));
    let mut received = String::new();
    let mut buffer = [0; 4096];
    while !received.contains("STATUS=main panicked: in main\n") {
        let length = listener.recv(&mut buffer)?;
        received.push_str(&String::from_utf8_lossy(&buffer[..length]));
        received.push('\n');
    }
    Ok(())
}

#[test]
fn the_next_client_after_a_panic_is_served_by_a_new_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let panicked = output_within(TIMEOUT, &mut daemon(&fixture, "main"));
    assert_aborted(&panicked);
    let served = output_within(TIMEOUT, &mut fixture.client_command("pid"));
    assert_eq!(stdout(&served).trim_end(), fixture.record_value("PID")?);
    Ok(())
}
