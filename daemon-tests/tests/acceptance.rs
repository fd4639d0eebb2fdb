//! What the seed wanted of a launch, as it holds here.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener, Never};
use common::{
    BACKEND, Outcome, PATIENCE, Place, SUBJECT, Signal, eventually, make_fifo, signal_process,
    stderr, stdout,
};

/// A client of the hand-written backend.
fn ask_backend(place: &Place, how: &str) -> Command {
    let mut command = place.command(env!("CARGO_BIN_EXE_ask-backend"));
    command.args([how, BACKEND]).env_remove("BROKERED_INSTANCE");
    command
}

#[test]
fn a_launch_fails_if_the_endpoint_is_not_there_by_the_deadline() -> Outcome {
    let place = Place::new()?;
    let began = Instant::now();
    let output = ask_backend(&place, "launch-itself")
        .env(daemon_tests::BIND_SLEEPS, "60000")
        .env("ASK_DEADLINE_MS", "300")
        .output()?;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < PATIENCE);
    let said = stderr(&output);
    assert!(
        said.contains("did not finish its start-up within 3"),
        "{said}"
    );
    assert!(!place.socket()?.exists());
    for backend in place.processes(BACKEND) {
        signal_process(backend, Signal::SIGKILL);
    }
    Ok(())
}

#[test]
fn bind_alone_yields_an_endpoint_that_a_client_can_connect_to() -> Outcome {
    use brokered_runtime::interprocess::local_socket::{
        GenericFilePath, ListenerOptions, ToFsName,
    };

    struct AtAPath;

    impl BrokeredBackend for AtAPath {
        type State = ();

        fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError> {
            let name = endpoint.to_fs_name::<GenericFilePath>()?;
            Ok(ListenerOptions::new().name(name).create_sync()?)
        }

        fn serve(_listener: IpcListener) -> Never {
            panic!("nobody serves here")
        }
    }

    let place = Place::new()?;
    let path = place.path().join("socket");
    let path = path.to_str().ok_or("a path that is no text")?;
    let _listener = AtAPath::bind(path)?;
    let mut client = UnixStream::connect(path)?;
    client.write_all(b"into the backlog")?;
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "the daemon binds")]
fn an_endpoint_that_the_launcher_has_bound_can_be_connected_to_before_the_daemon_runs() -> Outcome {
    let place = Place::new()?;
    let gate = place.path().join("gate");
    make_fifo(&gate)?;
    // The daemon's executable does not even begin before the gate opens.
    let late = place.path().join("late");
    fs::write(
        &late,
        format!("#!/bin/sh\nread go < {}\nexec {SUBJECT}\n", gate.display()),
    )?;
    fs::set_permissions(&late, fs::Permissions::from_mode(0o755))?;
    let mut client = place.ask_program(&late, "phase");
    let client = client
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    eventually("somebody listens", || {
        place
            .socket()
            .is_ok_and(|socket| UnixStream::connect(socket).is_ok())
    });
    let mut early = UnixStream::connect(place.socket()?)?;
    early.write_all(b"phase\n")?;
    assert!(place.record().is_err(), "the daemon has not begun");
    fs::write(&gate, "go\n")?;
    let mut answer = String::new();
    early.read_to_string(&mut answer)?;
    assert_eq!(answer, "ready\n");
    let output = client.wait_with_output()?;
    assert_eq!(stdout(&output), "ready\n", "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_second_of_loading_fails_no_launch() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("phase");
    let output = command
        .env("BROKERED_FAULT", "daemon:loading=delay:1000")
        .env("BROKERED_FAULT_ONCE", place.path().join("once"))
        .output()?;
    assert_eq!(stdout(&output), "ready\n", "{}", stderr(&output));

    let place = Place::new()?;
    let output = ask_backend(&place, "launch")
        .env(daemon_tests::SERVE_SLEEPS, "1000")
        .output()?;
    assert!(
        stdout(&output).ends_with(common::FIRST_BACKEND),
        "{}",
        stderr(&output)
    );
    Ok(())
}
