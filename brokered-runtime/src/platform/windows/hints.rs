//! Texts in help and error messages that name this system's commands and signals.

use std::io;
use std::path::Path;

pub(crate) const STOP_HINT: &str = "^C or ^Break on its console, or the end of the session, asks";

/// Windows has no command that connects to a pipe.
pub(crate) fn connect_hint(_endpoint: &Path) -> Option<String> {
    None
}

pub(crate) fn kill_hint(process: u32) -> String {
    format!("taskkill /F /PID {process}")
}

pub(crate) const SANDBOX_HINT: &str = "an app container";

pub(crate) fn entry_hint(_error: &io::Error) -> Option<&'static str> {
    None
}

pub(crate) fn error_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
            "free some space there, or set BROKERED_RUNTIME_DIR to a directory on another volume",
        ),
        io::ErrorKind::ReadOnlyFilesystem => Some(
            "set BROKERED_RUNTIME_DIR to a directory that can be written, for the daemon and for its clients",
        ),
        io::ErrorKind::OutOfMemory => Some("free some memory"),
        _ => None,
    }
}
