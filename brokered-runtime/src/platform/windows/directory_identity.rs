//! Whether a directory is still the one that was seen before.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
};

use super::files::{FileIdentity, identity};
use crate::platform::types::DirectoryMatch;

/// Identifies a directory. The time of creation does not help here: a directory that is created soon after one of the
/// same name was removed gets the old time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryIdentity(FileIdentity);

pub(crate) fn directory_identity(path: &Path) -> io::Result<Option<DirectoryIdentity>> {
    // Without any access, and with every access shared, the handle prevents neither a rename nor a removal.
    let opened = OpenOptions::new()
        .access_mode(0)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path);
    match opened {
        Ok(directory) => Ok(Some(DirectoryIdentity(identity(&directory)?))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl DirectoryIdentity {
    pub(crate) fn is_on_file_system_of(&self, other: &Self) -> bool {
        self.0.is_on_volume_of(other.0)
    }

    pub(crate) fn compare(&self, now: &Self, _path: &Path) -> DirectoryMatch {
        if self == now {
            DirectoryMatch::Same
        } else if now.is_on_file_system_of(self) {
            DirectoryMatch::Other
        } else {
            DirectoryMatch::OtherFileSystem
        }
    }
}
