//! A daemon with one instance for each user. It sends its process ID to each client.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process;

use brokered_runtime::{Bound, brokered_daemon};
use daemon_tests::SINGLE_INSTANCE_DAEMON;

#[brokered_daemon(SINGLE_INSTANCE_DAEMON)]
fn main(bound: Bound) -> io::Result<()> {
    bound.serve(|mut client| writeln!(client, "{}", process::id()))
}
