//! A client of the daemon that is one for each user: `ask-single <executable of the daemon>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;

use daemon_tests::SINGLE_INSTANCE_DAEMON;

fn main() -> Result<(), Box<dyn Error>> {
    let program = env::args_os().nth(1).ok_or("ask-single <daemon>")?;
    let mut stream = SINGLE_INSTANCE_DAEMON.instance().program(program).connect_or_spawn()?;
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}
