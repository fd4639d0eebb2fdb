//! The contract beneath the attribute, written by hand: an escape hatch.
//!
//! `bind` gets no state, says its signature. But nothing keeps a `main` like this one from doing something
//! before `bootstrap`, and nothing keeps a `bind` from reading files: where that matters, use the attribute.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;
use std::thread;

use brokered_runtime::interprocess::local_socket::traits::Listener as _;
use brokered_runtime::interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use brokered_runtime::{
    BindError, BrokeredBackend, Daemon, Endpoint, IpcListener, IpcStream, Never, bootstrap,
};

/// Shared with the clients. This daemon's policy in `bind` is its own, so it binds itself.
const HANDWRITTEN: Daemon = Daemon::new("handwritten").binds_itself();

/// Answers each line with the same line, upper case.
struct Shouting;

impl BrokeredBackend for Shouting {
    type State = ();

    fn bind(_endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        let path = HANDWRITTEN
            .endpoint()
            .map_err(|error| BindError::InvalidEndpoint(error.to_string()))?;
        // The instance lock is held here: if a socket is in the way, whoever bound it is dead.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let name = path.to_fs_name::<GenericFilePath>()?;
        // Unlinking on drop would not look whose socket is at the path by then.
        Ok(ListenerOptions::new()
            .name(name)
            .reclaim_name(false)
            .create_sync()?)
    }

    fn serve(listener: IpcListener) -> Never {
        loop {
            // One client's error is one client's.
            if let Ok(client) = listener.accept() {
                thread::spawn(move || shout(&client));
            }
        }
    }
}

fn shout(client: &IpcStream) -> io::Result<()> {
    let mut lines = BufReader::new(client);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let mut writer: &IpcStream = client;
        writer.write_all(line.to_uppercase().as_bytes())?;
        line.clear();
    }
    Ok(())
}

fn main() -> ExitCode {
    match bootstrap::<Shouting>(HANDWRITTEN.name()) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("handwritten: {error}");
            // The code by which a launcher knows that there is a daemon.
            ExitCode::from(if matches!(error, BindError::AlreadyBound(_)) {
                69
            } else {
                71
            })
        }
    }
}
