//! `hello` started by hand, with a client that uses the standard library alone.

#![cfg(unix)]

use std::error::Error;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn hello_greets_a_client_and_sigterm_ends_it() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let runtime = directory.path().join("runtime");
    let mut hello = Command::new(env!("CARGO_BIN_EXE_hello"))
        .env("BROKERED_RUNTIME_DIR", &runtime)
        .spawn()?;
    let greeting = read_greeting(&mut hello, &runtime.join("hello/socket"));
    Command::new("kill").arg(hello.id().to_string()).status()?;
    let status = hello.wait()?;
    assert_eq!(greeting?, "hello\n");
    assert!(status.success(), "{status}");
    assert_eq!(
        std::fs::read_dir(runtime.join("hello"))?.count(),
        0,
        "no file is left"
    );
    Ok(())
}

/// Connects once the daemon listens, and reads its greeting.
fn read_greeting(hello: &mut Child, socket: &Path) -> Result<String, Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match UnixStream::connect(socket) {
            Ok(mut stream) => {
                let mut greeting = String::new();
                stream.read_to_string(&mut greeting)?;
                return Ok(greeting);
            }
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(_) => {}
        }
        if let Some(status) = hello.try_wait()? {
            return Err(io::Error::other(format!("the daemon ended with {status}")).into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
