//! The acceptance criteria of a launch: the endpoint exists by the deadline, before any state is loaded.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener, Never};
use common::{
    BACKEND, Fixture, Signal, TIMEOUT, TestResult, delayed_daemon, signal_process, stderr, stdout,
    wait_until,
};

#[test]
fn a_launch_fails_when_the_endpoint_is_missing_at_the_deadline() -> TestResult {
    let fixture = Fixture::new()?;
    let began = Instant::now();
    let output = fixture
        .backend_client("daemon-binds")
        .env(daemon_tests::BIND_DELAY_MS, "60000")
        .env("TEST_CLIENT_DEADLINE_MS", "300")
        .output()?;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < TIMEOUT);
    let message = stderr(&output);
    assert!(
        message.contains("did not finish its start-up within 3"),
        "{message}"
    );
    assert!(!fixture.socket()?.exists());
    for backend in fixture.pids_of(BACKEND) {
        signal_process(backend, Signal::SIGKILL);
    }
    Ok(())
}

#[test]
fn bind_alone_yields_a_connectable_endpoint() -> TestResult {
    use brokered_runtime::interprocess::local_socket::{
        GenericFilePath, ListenerOptions, ToFsName,
    };

    struct PathBackend;

    impl BrokeredBackend for PathBackend {
        type State = ();

        fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError> {
            let name = endpoint.to_fs_name::<GenericFilePath>()?;
            Ok(ListenerOptions::new().name(name).create_sync()?)
        }

        fn serve(_listener: IpcListener) -> Never {
            panic!("this test does not serve")
        }
    }

    let fixture = Fixture::new()?;
    let path = fixture.path().join("socket");
    let path = path.to_str().ok_or("not a UTF-8 path")?;
    let _listener = PathBackend::bind(path)?;
    let mut client = UnixStream::connect(path)?;
    client.write_all(b"into the backlog")?;
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "the daemon binds")]
fn a_launcher_bound_endpoint_accepts_clients_before_the_daemon_runs() -> TestResult {
    let fixture = Fixture::new()?;
    let (delayed, fifo) = delayed_daemon(&fixture)?;
    let mut client = fixture.client_command_for(&delayed, "phase");
    let client = client
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    wait_until("the endpoint accepts connections", || {
        fixture
            .socket()
            .is_ok_and(|socket| UnixStream::connect(socket).is_ok())
    });
    let mut early = UnixStream::connect(fixture.socket()?)?;
    early.write_all(b"phase\n")?;
    assert!(fixture.record().is_err(), "the daemon has not started");
    fs::write(&fifo, "start\n")?;
    let mut answer = String::new();
    early.read_to_string(&mut answer)?;
    assert_eq!(answer, "ready\n");
    let output = client.wait_with_output()?;
    assert_eq!(stdout(&output), "ready\n", "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_load_of_one_second_does_not_fail_a_launch() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("phase");
    let output = command
        .env("BROKERED_FAULT", "daemon:loading=delay:1000")
        .env("BROKERED_FAULT_ONCE", fixture.path().join("once"))
        .output()?;
    assert_eq!(stdout(&output), "ready\n", "{}", stderr(&output));

    let fixture = Fixture::new()?;
    let output = fixture
        .backend_client("launcher-binds")
        .env(daemon_tests::SERVE_DELAY_MS, "1000")
        .output()?;
    assert!(
        stdout(&output).ends_with(common::LAUNCHED_BACKEND_REPLY),
        "{}",
        stderr(&output)
    );
    Ok(())
}
