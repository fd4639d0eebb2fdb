//! Private directories, the lock on them, and the files in them.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::platform::types::{DirectoryFault, PathOccupant};

/// The longest path that a socket can be bound to, without the terminating NUL.
const LONGEST_SOCKET_PATH: usize = {
    // `sun_path` follows the header of `sockaddr_un`: 108 bytes on Linux, 104 on other systems.
    let header = std::mem::offset_of!(libc::sockaddr_un, sun_path);
    let whole = size_of::<libc::sockaddr_un>();
    let longest = whole - header - 1;
    // A portable build has the limit of the other systems.
    if cfg!(brokered_portable) {
        103
    } else {
        longest
    }
};

/// The effective user.
pub(super) fn user_id() -> u32 {
    // SAFETY: `geteuid` takes no arguments, accesses no memory of this process and cannot fail.
    unsafe { libc::geteuid() }
}

/// Only the presence of a variable or directory decides, so that daemon and client always choose the same one.
#[allow(clippy::unnecessary_wraps, reason = "on other platforms this can fail")]
pub(crate) fn default_runtime_directory() -> io::Result<PathBuf> {
    if let Some(directory) = present("XDG_RUNTIME_DIR") {
        return Ok(directory.join("brokered"));
    }
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let directory = PathBuf::from(format!("/run/user/{}", user_id()));
        if directory.exists() {
            return Ok(directory.join("brokered"));
        }
    }
    if let Some(directory) = user_temporary_directory() {
        return Ok(directory.join("brokered"));
    }
    if let Some(home) = present("HOME") {
        return Ok(home.join(".cache/brokered/run"));
    }
    Ok(fallback_directory())
}

pub(crate) fn fallback_directory() -> PathBuf {
    PathBuf::from(format!("/tmp/brokered-{}", user_id()))
}

fn present(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// macOS has a private temporary directory for each user.
#[cfg(target_os = "macos")]
fn user_temporary_directory() -> Option<PathBuf> {
    let mut buffer = vec![0_u8; 1024];
    // SAFETY: the buffer is valid for writes of the length that is passed with it.
    let length = unsafe {
        libc::confstr(
            libc::_CS_DARWIN_USER_TEMP_DIR,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    if length < 2 || length > buffer.len() {
        return None;
    }
    buffer.truncate(length - 1);
    Some(PathBuf::from(OsString::from_vec(buffer)))
}

#[cfg(not(target_os = "macos"))]
fn user_temporary_directory() -> Option<PathBuf> {
    None
}

pub(crate) fn endpoint_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(name)
}

pub(crate) fn fits_endpoint(path: &Path) -> bool {
    path.as_os_str().len() <= LONGEST_SOCKET_PATH
}

pub(crate) fn foreign_session_directory(path: &Path) -> Option<(PathBuf, DirectoryFault)> {
    let session = PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?);
    if session.as_os_str().is_empty() || !path.starts_with(&session) {
        return None;
    }
    let owner = fs::metadata(&session).ok()?.uid();
    let expected = user_id();
    // A container may use a directory of root, such as `/tmp`.
    (owner != expected && owner != 0)
        .then_some((session, DirectoryFault::Owner { owner, expected }))
}

/// Each directory gets mode `0700`. A umask that removes bits of the owner leaves less, and [`check_directory`] then
/// reports that.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(feature = "testing")]
pub(crate) fn create_new_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

pub(crate) fn check_directory(path: &Path) -> io::Result<Option<DirectoryFault>> {
    let metadata = fs::symlink_metadata(path)?;
    let expected = user_id();
    let mode = metadata.mode() & 0o777;
    Ok(if metadata.file_type().is_symlink() {
        Some(DirectoryFault::Link)
    } else if !metadata.is_dir() {
        Some(DirectoryFault::NotADirectory)
    } else if metadata.uid() != expected {
        Some(DirectoryFault::Owner {
            owner: metadata.uid(),
            expected,
        })
    } else if mode != 0o700 {
        Some(DirectoryFault::Mode(mode))
    } else {
        None
    })
}

/// The instance lock is on the directory itself.
pub(crate) fn open_lock(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(directory)
}

/// Unix needs no launch lock: launchers take the instance lock itself, and hand it off.
#[allow(clippy::unnecessary_wraps, reason = "on other platforms this can fail")]
pub(crate) fn open_launch_lock(_directory: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Closing the file is enough. An explicit unlock would also release the lock of the daemon that it was handed off to.
pub(crate) fn release_lock(_lock: &File) {}

pub(crate) fn is_lock_at(lock: &File, directory: &Path) -> io::Result<bool> {
    is_open_at(lock, directory)
}

#[cfg(feature = "operator")]
pub(crate) fn is_file_at(open: &File, path: &Path) -> io::Result<bool> {
    is_open_at(open, path)
}

fn is_open_at(open: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(at_path) => {
            let open = open.metadata()?;
            Ok(open.dev() == at_path.dev() && open.ino() == at_path.ino())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Identifies a file while it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

pub(crate) fn file_identity(path: &Path) -> io::Result<Option<FileIdentity>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn path_occupant(path: &Path) -> io::Result<PathOccupant> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PathOccupant::Nothing),
        Err(error) => return Err(error),
    };
    let kind = metadata.file_type();
    Ok(if kind.is_socket() {
        if metadata.uid() != user_id() {
            PathOccupant::ForeignSocket(metadata.uid())
        } else if metadata.mode() & 0o100 == 0 {
            // `bind` sets the execute bits, and only the umask removes them. A umask that removes the owner's bit
            // leaves no usable directory, so this socket was not created by `bind` alone.
            PathOccupant::ServiceManagerSocket
        } else {
            PathOccupant::OwnSocket
        }
    } else if kind.is_dir() {
        PathOccupant::Other("a directory")
    } else if kind.is_symlink() {
        PathOccupant::Other("a symbolic link")
    } else if kind.is_file() {
        PathOccupant::Other("a regular file")
    } else {
        PathOccupant::Other("a special file")
    })
}

pub(crate) fn replace_file(path: &Path, temporary: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(temporary)?;
    let written = file
        .write_all(contents)
        .and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written
}

/// A read never blocks, because pipes and devices are refused.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

pub(crate) fn open_read_append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Any bytes are a path.
#[allow(
    clippy::unnecessary_wraps,
    reason = "on other platforms not all bytes are a path"
)]
pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(PathBuf::from(OsString::from_vec(bytes)))
}
