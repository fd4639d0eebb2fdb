//! What the operator's command line sees of daemons.

mod directory;
mod launch;
mod record;

pub use directory::{
    InstanceDirectories, InstanceDirectory, InstanceDirectoryError, Lock, instance_directories,
    runtime_directories,
};
pub use launch::{DaemonEvent, Launch, LaunchStep, Started};
pub use record::{DaemonRecord, Recorded};

/// The exit code of a daemon that another one has preceded.
pub const EXIT_ALREADY_BOUND: u8 = crate::handoff::EXIT_ALREADY_BOUND;

/// The longest path at which a socket can be, counted down from: whether this one can.
#[must_use]
pub fn fits_endpoint(path: &std::path::Path) -> bool {
    crate::platform::fits_endpoint(path)
}

/// Whether a path leads to the file that is open.
#[must_use]
pub fn is_at(open: &std::fs::File, path: &std::path::Path) -> bool {
    crate::platform::is_file_at(open, path).unwrap_or(false)
}

/// A directory without links in its path, as instances are named by it.
///
/// # Errors
///
/// If it can't be reached.
pub fn canonicalize(path: &std::path::Path) -> std::io::Result<std::path::PathBuf> {
    crate::platform::canonicalize(path)
}

/// What `stop` does with a daemon that does not answer.
pub const UNRESPONSIVE_STOP_HINT: &str = crate::platform::UNRESPONSIVE_STOP_HINT;

/// The command that shows what processes are doing.
#[must_use]
pub fn inspect_hint(processes: &[u32]) -> String {
    crate::platform::inspect_hint(processes)
}

/// The command that shows who has something open.
#[must_use]
pub fn open_file_hint(path: &str) -> String {
    crate::platform::open_file_hint(path)
}

/// How many files this process may have open, if that is limited.
#[must_use]
pub fn open_files_limit() -> Option<u64> {
    crate::platform::open_files_limit()
}

/// Whether a text would do as a daemon's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    crate::identity::is_daemon_name(text)
}

/// A duration in its largest fitting unit, for people: `850 ms`, `12 s`, `7 min`, `3 h`, `9 d`.
#[must_use]
pub fn format_duration(duration: std::time::Duration) -> String {
    crate::diagnostics::format_duration(duration)
}
