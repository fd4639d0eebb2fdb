//! `handwritten` as somebody would run it: it binds itself, shouts, and is the only one.

#![cfg(unix)]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Killed when it is dropped: a hand-written daemon takes over no signals.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_shouts_and_is_the_only_one() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let runtime = place.path().join("runtime");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handwritten"));
        command
            .env("BROKERED_RUNTIME_DIR", &runtime)
            .stderr(Stdio::piped());
        command
    };
    let _running = Running(start().spawn()?);
    let mut stream = BufReader::new(connect(&runtime.join("handwritten/socket"))?);
    writeln!(stream.get_mut(), "good evening")?;
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    assert_eq!(answer, "GOOD EVENING\n");

    let second = start().output()?;
    assert_eq!(second.status.code(), Some(69));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("already bound"), "{said}");
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
