//! `hello-std ENDPOINT [threads]`: what one writes by hand with nothing but the standard library.
//!
//! It answers in the accept loop, the leanest a daemon can be; with `threads`, each client gets a
//! thread, so that one that is slow doesn't hold up the others.
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
