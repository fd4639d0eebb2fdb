//! The log as a file: its older part, and the rotation that launcher and daemon share.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{self, RenameOutcome};

/// The path of the older part of a log: the same path with `.1` at its end.
pub(crate) fn older(log: &Path) -> PathBuf {
    let mut path = OsString::from(log);
    path.push(".1");
    PathBuf::from(path)
}

/// Renames the log at this path to its older part, if it is the file that is open. It replaces the older part of the
/// rotation before.
///
/// The file is renamed and never truncated: a process that has it open continues to write to it, so no line is lost.
pub(crate) fn rotate(open: &File, log: &Path) -> io::Result<RenameOutcome> {
    platform::rename_open_file(open, log, &older(log))
}
