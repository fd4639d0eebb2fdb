//! A client of the hand-written backend: `ask-backend launch|launch-itself <executable of the backend>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;

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
    let mut stream = daemon.instance().program(program).connect_or_spawn()?;
    // The backend closes after one line.
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}
