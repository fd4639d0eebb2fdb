//! `hello` as somebody would run it: by hand, and asked with whatever speaks Unix sockets.

#![cfg(unix)]

use std::error::Error;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn whoever_connects_is_told_hello_until_it_is_asked_to_end() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let runtime = place.path().join("runtime");
    let mut hello = Command::new(env!("CARGO_BIN_EXE_hello"))
        .env("BROKERED_RUNTIME_DIR", &runtime)
        .spawn()?;
    let said = greeting(&mut hello, &runtime.join("hello/socket"));
    Command::new("kill").arg(hello.id().to_string()).status()?;
    let status = hello.wait()?;
    assert_eq!(said?, "hello\n");
    assert!(status.success(), "{status}");
    assert_eq!(
        std::fs::read_dir(runtime.join("hello"))?.count(),
        0,
        "nothing is left"
    );
    Ok(())
}

/// What the daemon says, once it listens.
fn greeting(hello: &mut Child, socket: &Path) -> Result<String, Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match UnixStream::connect(socket) {
            Ok(mut stream) => {
                let mut said = String::new();
                stream.read_to_string(&mut said)?;
                return Ok(said);
            }
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(_) => {}
        }
        if let Some(status) = hello.try_wait()? {
            return Err(io::Error::other(format!("it has ended with {status}")).into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
