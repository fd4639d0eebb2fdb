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

/// How to see what processes are doing.
#[cfg(feature = "operator")]
pub(crate) fn inspect_hint(processes: &[u32]) -> String {
    let each: Vec<String> = processes
        .iter()
        .map(|process| format!("tasklist /V /FI \"PID eq {process}\""))
        .collect();
    each.join("; ")
}

/// How to see who has something open: the resource monitor's search, which is no command.
#[cfg(feature = "operator")]
pub(crate) fn open_file_hint(path: &str) -> String {
    format!("resmon, CPU, Associated Handles: {path}")
}

/// What `stop` does with a daemon that does not answer.
#[cfg(feature = "operator")]
pub(crate) const UNRESPONSIVE_STOP_HINT: &str = "says so: no signal asks a process to end here";
