//! Prints which of the two it is.

use brokered_runtime::{Bound, Daemon, brokered_daemon};

const DAEMON: Daemon = Daemon::new("cli");

#[brokered_daemon(DAEMON, cli = client::run)]
fn main(_: Bound) {
    println!("daemon");
}

mod client {
    use std::error::Error;
    use std::process::ExitCode;

    pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
        println!("client");
        Ok(ExitCode::SUCCESS)
    }
}
