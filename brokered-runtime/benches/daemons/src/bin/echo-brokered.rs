//! `echo-brokered serve|incoming`: replies to one byte with the same byte, then hangs up. The reply to `p` is the daemon's
//! PID, as four bytes in native order.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use brokered_runtime::{Bound, IpcStream, brokered_daemon};

#[brokered_daemon("echo")]
fn main(bound: Bound) -> io::Result<()> {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|mode| mode == "incoming")
    {
        for client in bound.incoming() {
            let _ = reply(client);
        }
        Ok(())
    } else {
        bound.serve(reply)
    }
}

fn reply(mut client: IpcStream) -> io::Result<()> {
    let mut request = [0];
    client.read_exact(&mut request)?;
    match request {
        [b'p'] => client.write_all(&std::process::id().to_ne_bytes()),
        other => client.write_all(&other),
    }
}
