//! What a person is told of the system's own ways.

use std::path::Path;

/// What asks a daemon to end.
pub(crate) const STOP_HINT: &str = "^C or ^Break on its console, or the end of the session, asks";

/// How to talk to an endpoint by hand: no program of the system's does.
pub(crate) fn connect_hint(_endpoint: &Path) -> Option<String> {
    None
}

/// How to end a process.
pub(crate) fn kill_hint(process: u32) -> String {
    format!("taskkill /F /PID {process}")
}
