//! Directories that are ours alone, the lock on them, and files in them.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::platform::{Fault, PathOccupant};

/// The longest path that a socket can be bound at, without its closing NUL.
const LONGEST_SOCKET_PATH: usize = {
    // `sun_path` is what `sockaddr_un` has beyond its header: 108 bytes on Linux, 104 elsewhere.
    let header = std::mem::offset_of!(libc::sockaddr_un, sun_path);
    let whole = size_of::<libc::sockaddr_un>();
    let longest = whole - header - 1;
    // As on the others.
    if cfg!(brokered_portable) {
        103
    } else {
        longest
    }
};

/// The effective user.
pub(crate) fn user_id() -> u32 {
    // SAFETY: `geteuid` takes nothing, touches no memory of ours and cannot fail.
    unsafe { libc::geteuid() }
}

/// Where the runtime directory is when `BROKERED_RUNTIME_DIR` does not say.
///
/// Chosen by presence alone, so that daemon and client always choose alike.
#[allow(clippy::unnecessary_wraps, reason = "not every platform has one")]
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

/// Where an instance goes whose own path is too long for a socket.
pub(crate) fn fallback_directory() -> PathBuf {
    PathBuf::from(format!("/tmp/brokered-{}", user_id()))
}

fn present(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// macOS gives each user a temporary directory of their own.
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

/// Where an endpoint of an instance is: in the instance's directory.
pub(crate) fn endpoint_in(directory: &Path, name: &str) -> PathBuf {
    directory.join(name)
}

/// Whether a socket can be bound at this path.
pub(crate) fn fits_endpoint(path: &Path) -> bool {
    path.as_os_str().len() <= LONGEST_SOCKET_PATH
}

/// Creates a directory, and those above it that are missing, each with mode `0700`.
///
/// A umask that takes the owner's own bits away leaves it with less, which [`check_directory`] then tells.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a directory that is not there yet, with mode `0700`.
#[cfg(feature = "testing")]
pub(crate) fn create_new_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Looks whether a directory is the effective user's alone. `Ok(None)` if it is.
pub(crate) fn check_directory(path: &Path) -> io::Result<Option<Fault>> {
    let metadata = fs::symlink_metadata(path)?;
    let expected = user_id();
    let mode = metadata.mode() & 0o777;
    Ok(if metadata.file_type().is_symlink() {
        Some(Fault::Link)
    } else if !metadata.is_dir() {
        Some(Fault::NotADirectory)
    } else if metadata.uid() != expected {
        Some(Fault::Owner {
            owner: metadata.uid(),
            expected,
        })
    } else if mode != 0o700 {
        Some(Fault::Mode(mode))
    } else {
        None
    })
}

/// Opens what the instance lock of this directory is taken on: the directory itself.
pub(crate) fn open_lock(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(directory)
}

/// Opens what launchers take turns on. Here they need not: the lock itself is handed over.
#[allow(
    clippy::unnecessary_wraps,
    reason = "not every platform hands locks over"
)]
pub(crate) fn open_launch_lock(_directory: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Lets go of a lock whose file is about to be closed, which is all that it takes: whoever it was handed to has the same
/// lock, so it is never unlocked.
pub(crate) fn release_lock(_lock: &File) {}

/// Whether the open lock is the one that the path leads to now.
pub(crate) fn is_at(lock: &File, directory: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(directory) {
        Ok(at_path) => same_file(lock, &at_path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an open file and the metadata of a path are of one file.
fn same_file(open: &File, at_path: &fs::Metadata) -> io::Result<bool> {
    let open = open.metadata()?;
    Ok(open.dev() == at_path.dev() && open.ino() == at_path.ino())
}

/// Whether an open file is the one that the path leads to now.
#[cfg(feature = "operator")]
pub(crate) fn is_file_at(open: &File, path: &Path) -> io::Result<bool> {
    is_at(open, path)
}

/// A directory without links in its path.
pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// What tells a file from all others, while it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// What stands at a path. `None` if nothing does.
pub(crate) fn identity_of(path: &Path) -> io::Result<Option<FileIdentity>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What stands where a socket is to be bound.
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
            // What `bind` makes may be executed, as far as the umask lets it, and a umask that takes that from
            // the owner makes no usable directory.
            PathOccupant::MadeSocket
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
        PathOccupant::Other("something else than a socket")
    })
}

/// Writes a file by way of a temporary one beside it, so that a reader sees all of it or none.
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

/// Opens a file to read, if it is a regular one: nothing that a read could wait for.
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

/// Opens a file of ours to append to.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// Opens a file of ours to read what is noted in it, and to add to that.
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

/// The bytes that a path is hashed and recorded by.
pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The inverse of [`path_bytes`].
#[allow(
    clippy::unnecessary_wraps,
    reason = "not every platform's paths are any bytes"
)]
pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(PathBuf::from(OsString::from_vec(bytes)))
}
