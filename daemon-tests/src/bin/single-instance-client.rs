//! A client of the single-instance daemon: `single-instance-client <executable of the daemon>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;

use daemon_tests::SINGLE_INSTANCE_DAEMON;

fn main() -> Result<(), Box<dyn Error>> {
    let program = env::args_os()
        .nth(1)
        .ok_or("single-instance-client <daemon>")?;
    let mut stream = SINGLE_INSTANCE_DAEMON
        .instance()
        .program(program)
        .connect_or_spawn()?;
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}
