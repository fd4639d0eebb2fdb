//! The smallest daemon: it sends `hello` to each client.

#![forbid(unsafe_code)]

use std::io::{self, Write};

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("hello")]
fn main(bound: Bound) -> io::Result<()> {
    bound.serve(|mut client| client.write_all(b"hello\n"))
}
