//! Service managers: socket activation, and notifications of phases and failures.

#![cfg(target_os = "linux")]

mod common;

use std::error::Error;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{
    ChildProcess, Fixture, Signal, TEST_DAEMON, TIMEOUT, TestResult, has_requirements,
    is_listening, make_fifo, read_line, signal_process, stderr, wait_until,
};

const ACTIVATE: &str = "systemd-socket-activate";

/// The endpoint of the test daemon, on which a socket unit would listen.
fn endpoint_of(fixture: &Fixture) -> Result<PathBuf, Box<dyn Error>> {
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    fixture.socket()
}

/// `systemd-socket-activate`, which listens, and runs the test daemon when the first client connects.
fn activate(fixture: &Fixture, socket: &Path) -> Command {
    let mut command = fixture.command(ACTIVATE);
    command.arg("--listen").arg(socket);
    for variable in ["BROKERED_RUNTIME_DIR", "BROKERED_INSTANCE"] {
        command.args(["--setenv", variable]);
    }
    command
        .arg(TEST_DAEMON)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a command, and waits until its socket listens. A connection would already activate the daemon.
fn start_listening(mut command: Command, socket: &Path) -> Result<ChildProcess, Box<dyn Error>> {
    let process = ChildProcess(command.spawn()?);
    wait_until("the socket listens", || is_listening(socket));
    Ok(process)
}

/// Starts a daemon by hand that is expected to end by itself.
fn start_by_hand(fixture: &Fixture) -> Result<Output, Box<dyn Error>> {
    let mut command = fixture.command(TEST_DAEMON);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    ChildProcess(command.spawn()?).wait_with_output()
}

/// Sends a line to the endpoint, and returns the whole reply.
fn request(socket: &Path, line: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    writeln!(stream, "{line}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_listener_passed_by_systemd_is_served_and_its_socket_is_kept() -> TestResult {
    if !has_requirements(&[ACTIVATE]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let socket = endpoint_of(&fixture)?;
    // `systemd-socket-activate` executes the daemon in its own process when the first client connects.
    let daemon = start_listening(activate(&fixture, &socket), &socket)?;
    let before = fs::metadata(&socket)?.ino();
    assert_eq!(
        request(&socket, "pid")?.trim_end(),
        daemon.pid().to_string()
    );
    assert_eq!(fixture.record_value("OWNER")?, "systemd");
    assert!(!fixture.is_lock_free()?, "the daemon holds the lock");
    let inherited = request(&socket, "children")?;
    assert!(!inherited.contains("LISTEN_"), "{inherited}");
    assert!(!inherited.contains("socket:"), "{inherited}");

    // A second daemon, started by hand.
    let second = start_by_hand(&fixture)?;
    assert_eq!(second.status.code(), Some(69), "{}", stderr(&second));
    assert_eq!(request(&socket, "phase")?, "ready\n");

    // The signal interrupts `accept`, and the socket is left as it was.
    daemon.signal(Signal::SIGTERM);
    let output = daemon.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::metadata(&socket)?.ino(), before);
    assert_eq!(fixture.record_value("PHASE")?, "stopped");
    assert_eq!(fixture.record_value("OWNER")?, "systemd");
    assert!(fixture.is_lock_free()?);
    Ok(())
}

/// The listener outlives the daemon, as systemd's does: a Python program holds it, and runs two daemons with it, one after
/// the other.
#[test]
fn the_next_daemon_serves_clients_that_queued_between_two_daemons() -> TestResult {
    if !has_requirements(&["python3"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let socket = endpoint_of(&fixture)?;
    let manager = "import os, socket, sys\n\
         listener = socket.socket(socket.AF_UNIX)\n\
         os.umask(0o177)\n\
         listener.bind(sys.argv[1])\n\
         listener.listen(100)\n\
         for _ in range(2):\n\
         \x20   pid = os.fork()\n\
         \x20   if pid == 0:\n\
         \x20       os.dup2(os.dup2(listener.fileno(), 9), 3)\n\
         \x20       os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n\
         \x20       os.execv(sys.argv[2], sys.argv[2:])\n\
         \x20   os.waitpid(pid, 0)\n\
         \x20   sys.stdin.readline()\n";
    let mut command = fixture.command("python3");
    command
        .args(["-c", manager])
        .arg(&socket)
        .arg(TEST_DAEMON)
        .stdin(Stdio::piped());
    let mut manager = start_listening(command, &socket)?;
    wait_until("the daemon is ready", || {
        fixture
            .record_value("PHASE")
            .is_ok_and(|phase| phase == "ready")
    });
    let first: u32 = request(&socket, "pid")?.trim_end().parse()?;
    signal_process(first, Signal::SIGTERM);
    wait_until("the daemon has ended", || {
        fixture.is_lock_free().unwrap_or_default()
    });
    // The socket is still bound, so a client that connects now waits for the next daemon.
    let mut queued = UnixStream::connect(&socket)?;
    queued.set_read_timeout(Some(TIMEOUT))?;
    writeln!(queued, "pid")?;
    // A daemon started by hand does not take the socket over.
    let by_hand = start_by_hand(&fixture)?;
    assert_eq!(by_hand.status.code(), Some(69));
    assert!(
        stderr(&by_hand).contains("service manager"),
        "{}",
        stderr(&by_hand)
    );
    manager
        .0
        .stdin
        .as_mut()
        .ok_or("no stdin")?
        .write_all(b"\n")?;
    let second = read_line(&mut BufReader::new(queued))?;
    assert_ne!(second, first.to_string());
    signal_process(second.parse()?, Signal::SIGTERM);
    manager.0.stdin = None;
    manager.wait_with_output()?;

    // Without the service manager, the socket is stale and is replaced.
    assert!(socket.exists());
    let daemon = fixture.start_daemon()?;
    assert_eq!(fixture.record_value("OWNER")?, "hand");
    assert_eq!(
        request(&socket, "pid")?.trim_end(),
        daemon.pid().to_string()
    );
    Ok(())
}

#[test]
fn a_listen_pid_of_another_process_is_ignored() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let _daemon = fixture.start(command)?;
    assert_eq!(fixture.record_value("OWNER")?, "hand");
    Ok(())
}

#[test]
fn a_passed_descriptor_that_is_not_a_listener_is_refused() -> TestResult {
    let fixture = Fixture::new()?;
    let output = fixture
        .command("sh")
        .args([
            "-c",
            "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" 3</dev/null",
            TEST_DAEMON,
        ])
        .output()?;
    assert_eq!(output.status.code(), Some(71), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("listener of the service manager"),
        "{}",
        stderr(&output)
    );
    Ok(())
}

/// Receives notifications until one of them contains a text, and returns them all.
fn receive_until(listener: &UnixDatagram, text: &str) -> Result<String, Box<dyn Error>> {
    listener.set_read_timeout(Some(TIMEOUT))?;
    let mut received = String::new();
    let mut buffer = [0; 4096];
    while !received.contains(text) {
        let length = listener.recv(&mut buffer)?;
        received.push_str(&String::from_utf8_lossy(&buffer[..length]));
        received.push('\n');
    }
    Ok(received)
}

#[test]
fn the_service_manager_is_notified_of_each_phase_and_by_the_watchdog() -> TestResult {
    for is_abstract in [false, true] {
        let fixture = Fixture::new()?;
        let path = fixture.path().join("notify");
        let (listener, name) = if is_abstract {
            let name = format!("brokered-{}", path.display());
            let address = SocketAddr::from_abstract_name(&name)?;
            (UnixDatagram::bind_addr(&address)?, format!("@{name}"))
        } else {
            (UnixDatagram::bind(&path)?, path.display().to_string())
        };
        let fifo = fixture.path().join("fifo");
        make_fifo(&fifo)?;
        let mut command = fixture.command(TEST_DAEMON);
        command
            .env("NOTIFY_SOCKET", &name)
            .env("WATCHDOG_USEC", "100000")
            .env(daemon_tests::LOAD_FIFO, &fifo);
        let daemon = fixture.start(command)?;
        let received = receive_until(&listener, "WATCHDOG=1")?;
        assert!(!received.contains("READY=1"), "{received}");
        drop(fs::File::create(&fifo)?);
        receive_until(&listener, "READY=1")?;
        for _ in 0..3 {
            receive_until(&listener, "WATCHDOG=1")?;
        }
        assert!(!request(&fixture.socket()?, "children")?.contains("NOTIFY_SOCKET"));
        daemon.signal(Signal::SIGTERM);
        receive_until(&listener, "STOPPING=1")?;
        assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    }
    Ok(())
}

#[test]
fn the_service_manager_is_notified_of_a_failure() -> TestResult {
    let fixture = Fixture::new()?;
    let path = fixture.path().join("notify");
    let listener = UnixDatagram::bind(&path)?;
    let output = fixture
        .command(TEST_DAEMON)
        .env("NOTIFY_SOCKET", &path)
        .env(daemon_tests::LOAD_FIFO, fixture.path().join("missing"))
        .output()?;
    assert_eq!(output.status.code(), Some(70));
    let received = receive_until(&listener, "ERRNO=")?;
    assert!(
        received.contains("STATUS=loading Loaded failed"),
        "{received}"
    );
    assert!(received.contains("ERRNO=2"), "{received}");
    Ok(())
}

#[test]
fn a_missing_notify_socket_does_not_delay_the_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command.env("NOTIFY_SOCKET", fixture.path().join("missing"));
    let daemon = fixture.start(command)?;
    fixture.wait_for_phase("ready");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}
