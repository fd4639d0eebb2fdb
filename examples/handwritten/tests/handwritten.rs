//! `handwritten` started by hand.

#![cfg(unix)]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A child process that is killed and reaped when this is dropped.
struct ChildProcess(Child);

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn lines_come_back_in_upper_case_and_a_second_daemon_exits_with_69() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let runtime = directory.path().join("runtime");
    let daemon = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handwritten"));
        command
            .env("BROKERED_RUNTIME_DIR", &runtime)
            .stderr(Stdio::piped());
        command
    };
    let _first = ChildProcess(daemon().spawn()?);
    let mut stream = BufReader::new(connect(&runtime.join("handwritten/socket"))?);
    writeln!(stream.get_mut(), "hello")?;
    let mut reply = String::new();
    stream.read_line(&mut reply)?;
    assert_eq!(reply, "HELLO\n");

    let second = daemon().output()?;
    assert_eq!(second.status.code(), Some(69));
    let stderr = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(stderr.contains("already bound"), "{stderr}");
    Ok(())
}

fn connect(socket: &Path) -> Result<UnixStream, Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match UnixStream::connect(socket) {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            connected => return Ok(connected?),
        }
    }
}
