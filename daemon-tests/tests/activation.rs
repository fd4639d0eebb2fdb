//! Under a service manager the same binary serves a socket that is not its own, and leaves it as it is.

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
    Outcome, PATIENCE, Place, Running, SUBJECT, Signal, eventually, has, line, make_fifo,
    signal_process, stderr,
};

const ACTIVATE: &str = "systemd-socket-activate";

/// Where the subject listens, and where a unit would say that it listens.
fn socket_of(place: &Place) -> Result<PathBuf, Box<dyn Error>> {
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    place.socket()
}

/// Systemd's part: listens, and starts the subject for the first client.
fn activate(place: &Place, socket: &Path, more: &[(&str, &str)]) -> Command {
    let mut command = place.command(ACTIVATE);
    command.arg("--listen").arg(socket);
    for variable in ["BROKERED_RUNTIME_DIR", "BROKERED_INSTANCE"] {
        command.args(["--setenv", variable]);
    }
    for (variable, value) in more {
        command.args(["--setenv", variable]).env(variable, value);
    }
    command
        .arg(SUBJECT)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn listening(mut command: Command, socket: &Path) -> Result<Running, Box<dyn Error>> {
    let running = Running(command.spawn()?);
    eventually("systemd's part listens", || socket.exists());
    Ok(running)
}

/// A daemon that is to end by itself.
fn by_hand(place: &Place) -> Result<Output, Box<dyn Error>> {
    let mut command = place.command(SUBJECT);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn()?).end()
}

fn ask(socket: &Path, what: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    writeln!(stream, "{what}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn the_same_binary_serves_what_systemd_passes_and_leaves_it_alone() -> Outcome {
    if !has(&[ACTIVATE]) {
        return Ok(());
    }
    let place = Place::new()?;
    let socket = socket_of(&place)?;
    // `systemd-socket-activate` becomes the daemon when the first client connects.
    let daemon = listening(activate(&place, &socket, &[]), &socket)?;
    let before = fs::metadata(&socket)?.ino();
    assert_eq!(ask(&socket, "pid")?.trim_end(), daemon.pid().to_string());
    assert_eq!(place.recorded("OWNER")?, "systemd");
    assert!(!place.is_free()?, "it holds the lock");
    let inherited = ask(&socket, "children")?;
    assert!(!inherited.contains("LISTEN_"), "{inherited}");
    assert!(!inherited.contains("socket:"), "{inherited}");

    // A second one beside it, by hand.
    let second = by_hand(&place)?;
    assert_eq!(second.status.code(), Some(69), "{}", stderr(&second));
    assert_eq!(ask(&socket, "phase")?, "ready\n");

    // At its end it wakes from `accept`, and the socket is as it was.
    daemon.signal(Signal::SIGTERM);
    let output = daemon.end()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::metadata(&socket)?.ino(), before);
    assert_eq!(place.recorded("PHASE")?, "stopped");
    assert_eq!(place.recorded("OWNER")?, "systemd");
    assert!(place.is_free()?);
    Ok(())
}

/// A listener that stays when the daemon has gone, as systemd's does: a shell holds it, and starts two daemons
/// with it, one after the other.
#[test]
fn the_next_daemon_serves_whoever_queued_between() -> Outcome {
    if !has(&["python3"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let socket = socket_of(&place)?;
    let holder = "import os, socket, sys\n\
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
    let mut command = place.command("python3");
    command
        .args(["-c", holder])
        .arg(&socket)
        .arg(SUBJECT)
        .stdin(Stdio::piped());
    let mut holder = listening(command, &socket)?;
    eventually("it is up", || {
        place.recorded("PHASE").is_ok_and(|phase| phase == "ready")
    });
    let first: u32 = ask(&socket, "pid")?.trim_end().parse()?;
    signal_process(first, Signal::SIGTERM);
    eventually("it has ended", || place.is_free().unwrap_or_default());
    // Nobody serves, and the socket is there: whoever connects waits for the next one.
    let mut queued = UnixStream::connect(&socket)?;
    queued.set_read_timeout(Some(PATIENCE))?;
    writeln!(queued, "pid")?;
    // Neither does anybody who is started by hand take it away.
    let by_hand = by_hand(&place)?;
    assert_eq!(by_hand.status.code(), Some(69));
    assert!(
        stderr(&by_hand).contains("service manager"),
        "{}",
        stderr(&by_hand)
    );
    holder
        .0
        .stdin
        .as_mut()
        .ok_or("no stdin")?
        .write_all(b"\n")?;
    let second = line(&mut BufReader::new(queued))?;
    assert_ne!(second, first.to_string());
    signal_process(second.parse()?, Signal::SIGTERM);
    holder.0.stdin = None;
    holder.end()?;

    // The holder is gone: what is left is no more than remains, and nobody has to clear it away.
    assert!(socket.exists());
    let daemon = place.subject()?;
    assert_eq!(place.recorded("OWNER")?, "hand");
    assert_eq!(ask(&socket, "pid")?.trim_end(), daemon.pid().to_string());
    Ok(())
}

#[test]
fn somebody_elses_listen_pid_passes_nothing() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let _daemon = place.start(command)?;
    assert_eq!(place.recorded("OWNER")?, "hand");
    Ok(())
}

#[test]
fn what_is_no_listener_is_refused() -> Outcome {
    let place = Place::new()?;
    let output = place
        .command("sh")
        .args([
            "-c",
            "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" 3</dev/null",
            SUBJECT,
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

/// What the manager hears until something is in it.
fn hear(listener: &UnixDatagram, until: &str) -> Result<String, Box<dyn Error>> {
    listener.set_read_timeout(Some(PATIENCE))?;
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !heard.contains(until) {
        let length = listener.recv(&mut buffer)?;
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
        heard.push('\n');
    }
    Ok(heard)
}

#[test]
fn the_manager_hears_of_every_phase_and_of_life() -> Outcome {
    for is_abstract in [false, true] {
        let place = Place::new()?;
        let path = place.path().join("notify");
        let (listener, name) = if is_abstract {
            let name = format!("brokered-{}", path.display());
            let address = SocketAddr::from_abstract_name(&name)?;
            (UnixDatagram::bind_addr(&address)?, format!("@{name}"))
        } else {
            (UnixDatagram::bind(&path)?, path.display().to_string())
        };
        let fifo = place.path().join("fifo");
        make_fifo(&fifo)?;
        let mut command = place.command(SUBJECT);
        command
            .env("NOTIFY_SOCKET", &name)
            .env("WATCHDOG_USEC", "100000")
            .env(daemon_tests::LOAD_FROM, &fifo);
        let daemon = place.start(command)?;
        let heard = hear(&listener, "WATCHDOG=1")?;
        assert!(!heard.contains("READY=1"), "{heard}");
        drop(fs::File::create(&fifo)?);
        hear(&listener, "READY=1")?;
        for _ in 0..3 {
            hear(&listener, "WATCHDOG=1")?;
        }
        assert!(!ask(&place.socket()?, "children")?.contains("NOTIFY_SOCKET"));
        daemon.signal(Signal::SIGTERM);
        hear(&listener, "STOPPING=1")?;
        assert_eq!(daemon.end()?.status.code(), Some(0));
    }
    Ok(())
}

#[test]
fn the_manager_hears_why_a_daemon_fails() -> Outcome {
    let place = Place::new()?;
    let path = place.path().join("notify");
    let listener = UnixDatagram::bind(&path)?;
    let output = place
        .command(SUBJECT)
        .env("NOTIFY_SOCKET", &path)
        .env(daemon_tests::LOAD_FROM, place.path().join("not there"))
        .output()?;
    assert_eq!(output.status.code(), Some(70));
    let heard = hear(&listener, "ERRNO=")?;
    assert!(heard.contains("STATUS=loading Loaded failed"), "{heard}");
    assert!(heard.contains("ERRNO=2"), "{heard}");
    Ok(())
}

#[test]
fn a_manager_that_does_not_listen_holds_nobody_up() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.env("NOTIFY_SOCKET", place.path().join("not there"));
    let daemon = place.start(command)?;
    place.until("ready");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.end()?.status.code(), Some(0));
    Ok(())
}
