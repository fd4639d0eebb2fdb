//! What the operator's command line sees of daemons. Not for anybody else: it changes without notice.

mod launch;
mod place;
mod story;
mod text;

pub use launch::{Launch, Started, Step, Told};
pub use place::{Lock, Place, PlaceError, Places, places, runtime_directories};
pub use story::{Recorded, Story};
pub use text::said_duration;

/// The exit code of a daemon that another one has preceded.
pub const EXIT_ALREADY_BOUND: u8 = crate::handover::EXIT_ALREADY_BOUND;

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
pub const WHAT_STOP_DOES: &str = crate::platform::WHAT_STOP_DOES;

/// The command that shows what processes are doing.
#[must_use]
pub fn how_to_look_at(processes: &[u32]) -> String {
    crate::platform::how_to_look_at(processes)
}

/// The command that shows who has something open.
#[must_use]
pub fn how_to_see_who_has_open(path: &str) -> String {
    crate::platform::how_to_see_who_has_open(path)
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
