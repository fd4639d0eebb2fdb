//! A client of the single-instance daemon: `single-instance-client [executable of the daemon]`. Without an argument, the
//! executable is `single`, beside this one.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;

use daemon_tests::SINGLE_INSTANCE_DAEMON;

fn main() -> Result<(), Box<dyn Error>> {
    let mut instance = SINGLE_INSTANCE_DAEMON.instance();
    if let Some(program) = env::args_os().nth(1) {
        instance = instance.program(program);
    }
    let mut stream = instance.connect_or_spawn()?;
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}
