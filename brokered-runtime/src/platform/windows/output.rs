//! The files that standard output and standard error are open on. They stay what they are while a process runs.
//!
//! A C library keeps a copy of each standard handle that nothing can replace, and another thread can be about to write
//! to the handle that it has just read. So an old handle can never be closed, and a rotation would lose lines.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::files::is_file_at;
use super::standard_handles::{StandardHandle, is_disk_file};
use crate::platform::types::RenameOutcome;

/// A regular file, as it was when it was looked at. On Windows there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputFile {
    pub(crate) size: u64,
}

impl OutputFile {
    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn is_same_file(&self, _other: &Self) -> bool {
        false
    }
}

pub(crate) fn output_files() -> [Option<OutputFile>; 2] {
    [None, None]
}

pub(crate) fn is_stderr_regular_file() -> bool {
    StandardHandle::Error.get().is_some_and(is_disk_file)
}

pub(crate) fn regular_file_at(_path: &Path) -> io::Result<Option<OutputFile>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn open_output(_path: &Path, _before: &OutputFile) -> io::Result<(File, OutputFile)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes no lock: on Windows a lock on a file keeps others from writing to it.
pub(crate) fn rename_open_file(open: &File, path: &Path, to: &Path) -> io::Result<RenameOutcome> {
    if is_file_at(open, path)? {
        fs::rename(path, to).map(|()| RenameOutcome::Renamed)
    } else {
        Ok(RenameOutcome::OtherFile)
    }
}

pub(crate) fn redirect_outputs(_from: &[OutputFile], _to: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
