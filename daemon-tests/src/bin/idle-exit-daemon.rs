//! A daemon that ends after a second without open connections. It sends its process ID, then waits for the client to
//! hang up.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::process;

use brokered_runtime::{Bound, brokered_daemon};
use daemon_tests::IDLE_EXIT_DAEMON;

#[brokered_daemon(IDLE_EXIT_DAEMON)]
fn main(bound: Bound) -> io::Result<()> {
    bound.serve(|mut client| {
        writeln!(client, "{}", process::id())?;
        client.read_to_end(&mut Vec::new()).map(drop)
    })
}
