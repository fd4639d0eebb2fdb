//! `echo-interprocess ENDPOINT inline|threads`: a byte echo on raw `interprocess`. It replies in the accept loop, or on a
//! thread for each client.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use interprocess::local_socket::traits::ListenerExt as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, Stream, ToFsName as _};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let endpoint = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
    let threads = arguments.next().is_some_and(|mode| mode == "threads");
    let name = endpoint.to_fs_name::<GenericFilePath>()?;
    let listener = ListenerOptions::new().name(name).create_sync()?;
    for client in listener.incoming() {
        let client = client?;
        if threads {
            std::thread::spawn(move || reply(client));
        } else {
            let _ = reply(client);
        }
    }
    Ok(())
}

fn reply(mut client: Stream) -> io::Result<()> {
    let mut request = [0];
    client.read_exact(&mut request)?;
    client.write_all(&request)
}
