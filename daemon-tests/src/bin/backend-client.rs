//! A client of the handwritten backend: `backend-client launcher-binds|daemon-binds <executable of the backend>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;
use std::time::Duration;

use daemon_tests::BACKEND;

const USAGE: &str = "backend-client launcher-binds|daemon-binds <daemon>";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mode = arguments.next().ok_or(USAGE)?;
    let daemon = if mode == "daemon-binds" {
        BACKEND.binds_itself()
    } else {
        BACKEND
    };
    let program = arguments.next().ok_or(USAGE)?;
    let mut instance = daemon.instance().program(program);
    if let Ok(deadline) = env::var("TEST_CLIENT_DEADLINE_MS") {
        instance = instance.deadline(Duration::from_millis(deadline.parse()?));
    }
    let mut stream = instance.connect_or_spawn()?;
    // The backend closes after one line.
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}
