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

/// How to see what processes are doing.
#[cfg(feature = "operator")]
pub(crate) fn inspect_hint(processes: &[u32]) -> String {
    let numbers: Vec<String> = processes.iter().map(u32::to_string).collect();
    format!("ps -o pid,stat,wchan,time,args -p {}", numbers.join(","))
}

/// How to see who has something open.
#[cfg(feature = "operator")]
pub(crate) fn open_file_hint(path: &str) -> String {
    format!("fuser -v {path}")
}

/// What `stop` does with a daemon that does not answer.
#[cfg(feature = "operator")]
pub(crate) const UNRESPONSIVE_STOP_HINT: &str = "sends it SIGTERM";
