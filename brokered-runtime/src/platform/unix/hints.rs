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

#[cfg(feature = "operator")]
pub(crate) fn inspect_hint(processes: &[u32]) -> String {
    let numbers: Vec<String> = processes.iter().map(u32::to_string).collect();
    format!("ps -o pid,stat,wchan,time,args -p {}", numbers.join(","))
}

#[cfg(feature = "operator")]
pub(crate) fn open_file_hint(path: &str) -> String {
    format!("fuser -v {path}")
}

#[cfg(feature = "operator")]
pub(crate) const UNRESPONSIVE_STOP_HINT: &str = "sends it SIGTERM";
