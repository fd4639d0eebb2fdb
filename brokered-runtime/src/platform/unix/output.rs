//! The files that standard output and standard error are open on.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::files::{FileIdentity, is_file_at, user_id};
use crate::platform::types::RenameOutcome;

/// Standard output and standard error.
const OUTPUTS: [RawFd; 2] = [1, 2];

/// A regular file, as it was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputFile {
    identity: FileIdentity,
    owner: u32,
    pub(crate) size: u64,
}

impl OutputFile {
    fn new(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self {
            identity: FileIdentity::new(metadata),
            owner: metadata.uid(),
            size: metadata.len(),
        })
    }

    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

fn output_file(descriptor: RawFd) -> Option<OutputFile> {
    // SAFETY: `fstat` alone is called on the descriptor, which is not closed afterwards. If it is not open, that is an
    // error of `fstat`.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
    OutputFile::new(&file.metadata().ok()?)
}

pub(crate) fn output_files() -> [Option<OutputFile>; 2] {
    OUTPUTS.map(output_file)
}

pub(crate) fn is_stderr_regular_file() -> bool {
    output_file(2).is_some()
}

pub(crate) fn regular_file_at(path: &Path) -> io::Result<Option<OutputFile>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(OutputFile::new(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Neither follows a link nor blocks on a pipe. Refuses a file with another name, which would be changed there, unless it
/// is written to already.
pub(crate) fn open_output(path: &Path, before: &OutputFile) -> io::Result<(File, OutputFile)> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let metadata = file.metadata()?;
    let opened = OutputFile::new(&metadata)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))?;
    if opened.owner != user_id() && opened.owner != before.owner {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it belongs to user {}", opened.owner),
        ));
    }
    if metadata.nlink() > 1 && !opened.is_same_file(before) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it has several hard links, and would be changed at its other paths, too",
        ));
    }
    Ok((file, opened))
}

/// `flock` makes processes that write to the same file take turns: with both between the check and the rename, the
/// second one would rename the file that the first one has just created, and replace all that it renamed.
pub(crate) fn rename_open_file(open: &File, path: &Path, to: &Path) -> io::Result<RenameOutcome> {
    match open.try_lock() {
        // A file system without locks is no reason to let the file grow.
        Ok(()) | Err(TryLockError::Error(_)) => {}
        Err(TryLockError::WouldBlock) => return Ok(RenameOutcome::Busy),
    }
    let renamed = match is_file_at(open, path) {
        Ok(true) => fs::rename(path, to).map(|()| RenameOutcome::Renamed),
        Ok(false) => Ok(RenameOutcome::OtherFile),
        Err(error) => Err(error),
    };
    // Not left to the close: a child that was forked meanwhile has the lock, too.
    let _ = open.unlock();
    renamed
}

/// `dup2` replaces a descriptor atomically: a write by another thread goes to the old file or to the new one. Neither
/// descriptor becomes close-on-exec.
pub(crate) fn redirect_outputs(from: &[OutputFile], to: &File) -> io::Result<()> {
    for descriptor in OUTPUTS {
        let is_meant = output_file(descriptor)
            .is_some_and(|open| from.iter().any(|file| file.is_same_file(&open)));
        if is_meant {
            replace_descriptor(to, descriptor)?;
        }
    }
    Ok(())
}

fn replace_descriptor(file: &File, descriptor: RawFd) -> io::Result<()> {
    loop {
        // SAFETY: `dup2` replaces standard output or standard error, which have no owner.
        if unsafe { libc::dup2(file.as_raw_fd(), descriptor) } != -1 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
