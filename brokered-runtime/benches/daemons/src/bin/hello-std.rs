//! `hello-std ENDPOINT [threads]`: a hello daemon written by hand on the standard library.
//!
//! It replies in the accept loop, which is the cheapest way. With `threads`, each client gets a thread, so that a slow
//! client does not delay the others.
#![forbid(unsafe_code)]

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::io::{self, Write};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    let mut arguments = std::env::args_os().skip(1);
    let endpoint = PathBuf::from(arguments.next().ok_or(io::ErrorKind::InvalidInput)?);
    let threads = arguments.next().is_some_and(|mode| mode == "threads");
    match std::fs::remove_file(&endpoint) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&endpoint)?;
    for client in listener.incoming() {
        let mut client = client?;
        if threads {
            std::thread::spawn(move || client.write_all(b"hello\n"));
        } else {
            let _ = client.write_all(b"hello\n");
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("hello-std: Unix only");
}
