//! What a person is told of the system's own ways.

use std::path::Path;

/// What asks a daemon to end.
pub(crate) const STOP_HINT: &str = "SIGTERM, or ^C on a terminal, asks";

/// How to talk to an endpoint by hand.
#[allow(clippy::unnecessary_wraps, reason = "not every platform has a way")]
pub(crate) fn connect_hint(endpoint: &Path) -> Option<String> {
    Some(format!("socat - UNIX-CONNECT:{}", endpoint.display()))
}

/// How to end a process.
pub(crate) fn kill_hint(process: u32) -> String {
    format!("kill {process}")
}
