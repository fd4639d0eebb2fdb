//! A client of the hand-written backend: `ask-backend launch|launch-itself <executable of the backend>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;
use std::time::Duration;

use daemon_tests::BACKEND;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let how = arguments.next().ok_or("how?")?;
    let daemon = if how == "launch-itself" {
        BACKEND.binds_itself()
    } else {
        BACKEND
    };
    let program = arguments.next().ok_or("which?")?;
    let mut instance = daemon.instance().program(program);
    if let Ok(deadline) = env::var("ASK_DEADLINE_MS") {
        instance = instance.deadline(Duration::from_millis(deadline.parse()?));
    }
    let mut stream = instance.connect_or_spawn()?;
    // The backend closes after one line.
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}
