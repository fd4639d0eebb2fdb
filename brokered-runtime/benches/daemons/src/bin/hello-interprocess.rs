//! `hello-interprocess ENDPOINT`: a hello daemon on raw `interprocess`.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use interprocess::local_socket::traits::ListenerExt as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName as _};

fn main() -> io::Result<()> {
    let endpoint = std::env::args_os()
        .nth(1)
        .ok_or(io::ErrorKind::InvalidInput)?;
    match std::fs::remove_file(&endpoint) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = endpoint.to_fs_name::<GenericFilePath>()?;
    let listener = ListenerOptions::new().name(name).create_sync()?;
    for client in listener.incoming() {
        let _ = client?.write_all(b"hello\n");
    }
    Ok(())
}
