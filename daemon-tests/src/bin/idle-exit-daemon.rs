//! A daemon that ends when it has served nobody for a second.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::process;

use brokered_runtime::{Bound, brokered_daemon};
use daemon_tests::IDLER;

#[brokered_daemon(IDLER)]
fn main(bound: Bound) -> io::Result<()> {
    bound.serve(|mut client| {
        writeln!(client, "{}", process::id())?;
        client.read_to_end(&mut Vec::new()).map(drop)
    })
}
