//! Commands of the platform that the tool recommends.

#[cfg(unix)]
pub(crate) use unix::{UNRESPONSIVE_STOP, inspect, open_file};
#[cfg(windows)]
pub(crate) use windows::{UNRESPONSIVE_STOP, inspect, open_file};

/// Whether `--kill` ends a process. Other systems cannot tell a process from a later one with the same ID.
pub(crate) const CAN_KILL: bool = cfg!(target_os = "linux");

#[cfg(unix)]
mod unix {
    /// What `brokered stop` does with a daemon that does not answer.
    pub(crate) const UNRESPONSIVE_STOP: &str = if cfg!(target_os = "linux") {
        "sends it SIGTERM, and ends it with --kill"
    } else {
        "sends it SIGTERM"
    };

    /// The command that shows what these processes do.
    pub(crate) fn inspect(processes: &[u32]) -> String {
        let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
        format!("ps -o pid,stat,wchan,time,args -p {}", ids.join(","))
    }

    /// The command that shows which processes have a file open.
    pub(crate) fn open_file(path: &str) -> String {
        format!("fuser -v {path}")
    }
}

#[cfg(windows)]
mod windows {
    /// What `brokered stop` does with a daemon that does not answer.
    pub(crate) const UNRESPONSIVE_STOP: &str =
        "reports an error, because Windows has no signal that requests a shutdown";

    /// The command that shows what these processes do.
    pub(crate) fn inspect(processes: &[u32]) -> String {
        let each: Vec<String> = processes
            .iter()
            .map(|process| format!("tasklist /V /FI \"PID eq {process}\""))
            .collect();
        each.join("; ")
    }

    /// Where Windows shows which processes have a file open. No command does.
    pub(crate) fn open_file(path: &str) -> String {
        format!("resmon, CPU, Associated Handles: {path}")
    }
}
