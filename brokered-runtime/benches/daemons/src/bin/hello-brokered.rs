//! The smallest brokered daemon, exactly as in the documentation.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("hello")]
fn main(bound: Bound) -> io::Result<()> {
    bound.serve(|mut client| client.write_all(b"hello\n"))
}
