//! Texts in help and error messages that name this system's commands and signals.

use std::path::Path;

pub(crate) const STOP_HINT: &str = "SIGTERM, or ^C on a terminal, asks";

#[allow(
    clippy::unnecessary_wraps,
    reason = "not every platform has such a command"
)]
pub(crate) fn connect_hint(endpoint: &Path) -> Option<String> {
    Some(format!("socat - UNIX-CONNECT:{}", endpoint.display()))
}

pub(crate) fn kill_hint(process: u32) -> String {
    format!("kill {process}")
}
