//! A daemon that implements `BrokeredBackend` by hand, without the attribute.
//!
//! The signature of `bind` ensures that it gets no state. But nothing prevents this `main` from doing other work before
//! `bootstrap`, and nothing prevents `bind` from reading files. Use the attribute where that matters.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;
use std::thread;

use brokered_runtime::interprocess::local_socket::traits::Listener as _;
use brokered_runtime::interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use brokered_runtime::{
    BindError, BrokeredBackend, Daemon, Endpoint, IpcListener, IpcStream, Never, bootstrap,
};

/// The identity, shared with the clients. This daemon has its own `bind`, so launchers do not bind for it.
const HANDWRITTEN: Daemon = Daemon::new("handwritten").binds_itself();

/// Replies to each line with the same line in upper case.
struct UppercaseEcho;

impl BrokeredBackend for UppercaseEcho {
    type State = ();

    fn bind(_endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        let path = HANDWRITTEN
            .endpoint()
            .map_err(|error| BindError::InvalidEndpoint(error.to_string()))?;
        // `bootstrap` holds the instance lock, so an existing socket is stale.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let name = path.to_fs_name::<GenericFilePath>()?;
        // Unlinking on drop could remove the socket of the next daemon.
        Ok(ListenerOptions::new()
            .name(name)
            .reclaim_name(false)
            .create_sync()?)
    }

    fn serve(listener: IpcListener) -> Never {
        loop {
            // An error of one client does not affect the others.
            if let Ok(client) = listener.accept() {
                thread::spawn(move || echo(&client));
            }
        }
    }
}

fn echo(client: &IpcStream) -> io::Result<()> {
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
    match bootstrap::<UppercaseEcho>(HANDWRITTEN.name()) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("handwritten: {error}");
            // 69 tells a launcher that another daemon already runs.
            ExitCode::from(if matches!(error, BindError::AlreadyBound(_)) {
                69
            } else {
                71
            })
        }
    }
}
