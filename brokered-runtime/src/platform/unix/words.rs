//! What a person is told of the system's own ways.

use std::path::Path;

/// What asks a daemon to end.
pub(crate) const WHAT_ASKS_TO_END: &str = "SIGTERM, or ^C on a terminal, asks";

/// How to talk to an endpoint by hand.
#[allow(clippy::unnecessary_wraps, reason = "not every platform has a way")]
pub(crate) fn how_to_talk(endpoint: &Path) -> Option<String> {
    Some(format!("socat - UNIX-CONNECT:{}", endpoint.display()))
}

/// How to end a process.
pub(crate) fn how_to_end(process: u32) -> String {
    format!("kill {process}")
}
