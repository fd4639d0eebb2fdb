//! A handwritten backend. It sends each client its process ID, and whether it bound its listener or adopted it.

#![forbid(unsafe_code)]

use std::env;
use std::io::Write;
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use brokered_runtime::interprocess::local_socket::traits::Listener as _;
use brokered_runtime::interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener, Never, bootstrap};
use daemon_tests::{BACKEND, BIND_DELAY_MS, SERVE_DELAY_MS};

/// Whether `bind` was called.
static BIND_CALLED: AtomicBool = AtomicBool::new(false);

struct Backend;

impl BrokeredBackend for Backend {
    type State = ();

    fn bind(_endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        BIND_CALLED.store(true, Ordering::SeqCst);
        sleep(BIND_DELAY_MS);
        let path = BACKEND
            .endpoint()
            .map_err(|error| BindError::InvalidEndpoint(error.to_string()))?;
        let _ = std::fs::remove_file(&path);
        let name = path.to_fs_name::<GenericFilePath>()?;
        Ok(ListenerOptions::new()
            .name(name)
            .reclaim_name(false)
            .create_sync()?)
    }

    fn serve(listener: IpcListener) -> Never {
        sleep(SERVE_DELAY_MS);
        let origin = if BIND_CALLED.load(Ordering::SeqCst) {
            "bound"
        } else {
            "adopted"
        };
        loop {
            if let Ok(mut client) = listener.accept() {
                let _ = writeln!(client, "{} {origin}", process::id());
            }
        }
    }
}

/// Sleeps for the number of milliseconds in an environment variable.
fn sleep(variable: &str) {
    let milliseconds = env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok());
    thread::sleep(Duration::from_millis(milliseconds.unwrap_or(0)));
}

fn main() -> ExitCode {
    match bootstrap::<Backend>(BACKEND.name()) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(69)
        }
    }
}
