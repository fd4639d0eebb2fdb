//! What a person is told of the system's own ways.

use std::path::Path;

/// What asks a daemon to end.
pub(crate) const WHAT_ASKS_TO_END: &str =
    "^C or ^Break on its console, or the end of the session, asks";

/// How to talk to an endpoint by hand: no program of the system's does.
pub(crate) fn how_to_talk(_endpoint: &Path) -> Option<String> {
    None
}

/// How to end a process.
pub(crate) fn how_to_end(process: u32) -> String {
    format!("taskkill /F /PID {process}")
}

/// How to see what processes are doing.
#[cfg(feature = "cli")]
pub(crate) fn how_to_look_at(processes: &[u32]) -> String {
    let each: Vec<String> = processes
        .iter()
        .map(|process| format!("tasklist /V /FI \"PID eq {process}\""))
        .collect();
    each.join("; ")
}

/// How to see who has something open: the resource monitor's search, which is no command.
#[cfg(feature = "cli")]
pub(crate) fn how_to_see_who_has_open(path: &str) -> String {
    format!("resmon, CPU, Associated Handles: {path}")
}

/// What `stop` does with a daemon that does not answer.
#[cfg(feature = "cli")]
pub(crate) const WHAT_STOP_DOES: &str = "says so: no signal asks a process to end here";
