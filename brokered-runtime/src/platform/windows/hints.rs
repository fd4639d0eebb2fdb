//! Texts in help and error messages that name this system's commands and signals.

use std::path::Path;

pub(crate) const STOP_HINT: &str = "^C or ^Break on its console, or the end of the session, asks";

/// Windows has no command that connects to a pipe.
pub(crate) fn connect_hint(_endpoint: &Path) -> Option<String> {
    None
}

pub(crate) fn kill_hint(process: u32) -> String {
    format!("taskkill /F /PID {process}")
}
