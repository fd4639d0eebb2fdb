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

#[cfg(feature = "operator")]
pub(crate) fn inspect_hint(processes: &[u32]) -> String {
    let commands: Vec<String> = processes
        .iter()
        .map(|process| format!("tasklist /V /FI \"PID eq {process}\""))
        .collect();
    commands.join("; ")
}

/// Windows has no command for this, so the hint describes the search in the resource monitor.
#[cfg(feature = "operator")]
pub(crate) fn open_file_hint(path: &str) -> String {
    format!("resmon, CPU, Associated Handles: {path}")
}

#[cfg(feature = "operator")]
pub(crate) const UNRESPONSIVE_STOP_HINT: &str =
    "reports that: Windows has no signal that asks a process to stop";
