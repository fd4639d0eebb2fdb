//! Directories that are ours alone, the lock in them, and files beside it.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateDirectoryW, FILE_SHARE_READ, FILE_SHARE_WRITE,
    GetFileInformationByHandle,
};

use super::user::{self, Descriptor, Owner, User};
use super::{check, wide};
use crate::platform::{Fault, PathOccupant};

/// How long somebody may read a file that is to be replaced.
const READING: Duration = Duration::from_millis(500);

/// What every pipe's name begins with.
const PIPES: &str = r"\\.\pipe\";

/// Where the runtime directory is when `BROKERED_RUNTIME_DIR` does not say.
pub(crate) fn default_runtime_directory() -> io::Result<PathBuf> {
    let present = |variable: &str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    present("LOCALAPPDATA")
        .or_else(|| Some(present("USERPROFILE")?.join(r"AppData\Local")))
        .map(|directory| directory.join("brokered"))
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// No path is too long for a pipe, since a pipe is not at a path.
pub(crate) fn fallback_directory() -> PathBuf {
    env::temp_dir().join("brokered")
}

/// No path is too long for a pipe.
pub(crate) fn fits_endpoint(_path: &Path) -> bool {
    true
}

/// The pipe of an instance: `\\.\pipe\brokered-<hash>-<instance>`, with `-control` for the framework's own.
///
/// Pipes are in one place for all users of the machine, so the hash is of the user and of the runtime directory, by
/// whatever case it is written in.
pub(crate) fn endpoint_in(directory: &Path, name: &str) -> PathBuf {
    // A user that can't be told is one that nobody binds or connects as, either.
    let user = User::current().and_then(User::text).unwrap_or_default();
    let runtime = directory.parent().unwrap_or(directory);
    let runtime = runtime.to_string_lossy().to_lowercase();
    let hash = crate::identity::paths::hash(&[user.as_bytes(), b" ", runtime.as_bytes()]);
    let instance = directory.file_name().unwrap_or(OsStr::new("instance"));
    let mut pipe = format!("{PIPES}brokered-{hash:016x}-{}", instance.display());
    if name != "socket" {
        pipe.push('-');
        pipe.push_str(name);
    }
    PathBuf::from(pipe)
}

/// Creates a directory, and those above it that are missing, each for this user alone.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    match create_new_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent() else {
                return Err(error);
            };
            create_directory(parent)?;
            create_directory_if_missing(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

fn create_directory_if_missing(path: &Path) -> io::Result<()> {
    match create_new_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Creates a directory that is not there yet, for this user alone.
pub(crate) fn create_new_directory(path: &Path) -> io::Result<()> {
    let descriptor = Descriptor::for_directories()?;
    let attributes = descriptor.attributes();
    let path = wide(path.as_os_str());
    // SAFETY: the path ends with a zero, and the attributes and the descriptor in them outlive the call.
    check(unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) })
}

/// Looks whether a directory is this user's. `Ok(None)` if it is.
pub(crate) fn check_directory(path: &Path) -> io::Result<Option<Fault>> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.file_type().is_symlink() {
        return Ok(Some(Fault::Link));
    }
    if !metadata.is_dir() {
        return Ok(Some(Fault::NotADirectory));
    }
    Ok(match user::owner_of_file(path)? {
        Owner::Us | Owner::OurGroup => None,
        Owner::Other(owner) => Some(Fault::Owner {
            owner,
            expected: User::current()?.number(),
        }),
    })
}

/// Opens the file that the instance lock of this directory is taken on. As long as somebody has it open, nobody can
/// remove it, or the directory.
pub(crate) fn open_lock(directory: &Path) -> io::Result<File> {
    open_to_lock(&directory.join("lock"))
}

/// Opens what launchers take turns on.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the doors have one shape on every platform"
)]
pub(crate) fn open_launch_lock(directory: &Path) -> io::Result<Option<File>> {
    open_to_lock(&directory.join("spawn.lock")).map(Some)
}

fn open_to_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .open(path)
}

/// Unlocks: the system would do so when the file is closed, but takes its time.
pub(crate) fn release_lock(lock: &File) {
    let _ = lock.unlock();
}

/// Whether the open lock is the one that the path leads to now.
pub(crate) fn is_at(lock: &File, directory: &Path) -> io::Result<bool> {
    let at_path = OpenOptions::new()
        .access_mode(0)
        .open(directory.join("lock"));
    match at_path {
        Ok(at_path) => Ok(identity(lock)? == identity(&at_path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an open file is the one that the path leads to now.
#[cfg(feature = "operator")]
pub(crate) fn is_file_at(open: &File, path: &Path) -> io::Result<bool> {
    Ok(identity(open)? == identity(&File::open(path)?)?)
}

/// A directory without links in its path, in the form that every program takes: the standard library's begins with
/// `\\\\?\\`, in which many programs can't even be started.
pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    dunce::canonicalize(path)
}

/// What tells a file from all others, while it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    volume: u32,
    file: (u32, u32),
}

fn identity(file: &File) -> io::Result<FileIdentity> {
    let mut information = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: `information` is valid for writes, and zeroes are a valid value, should nothing be written.
    let information = unsafe {
        check(GetFileInformationByHandle(
            file.as_raw_handle(),
            information.as_mut_ptr(),
        ))?;
        information.assume_init()
    };
    Ok(FileIdentity {
        volume: information.dwVolumeSerialNumber,
        file: (information.nFileIndexHigh, information.nFileIndexLow),
    })
}

/// What stands at an endpoint's path: a pipe has no file.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the doors have one shape on every platform"
)]
pub(crate) fn identity_of(_path: &Path) -> io::Result<Option<FileIdentity>> {
    Ok(None)
}

/// What stands where an endpoint is to be bound. Of a pipe nothing stays behind.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the doors have one shape on every platform"
)]
pub(crate) fn path_occupant(_path: &Path) -> io::Result<PathOccupant> {
    Ok(PathOccupant::Nothing)
}

/// Writes a file by way of a temporary one beside it, so that a reader sees all of it or none.
pub(crate) fn replace_file(path: &Path, temporary: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    let written = file.write_all(contents);
    drop(file);
    let written = written.and_then(|()| replace(path, temporary));
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written
}

/// Somebody may be reading what is replaced, for a moment, and the system may refuse that long.
fn replace(path: &Path, temporary: &Path) -> io::Result<()> {
    let deadline = Instant::now() + READING;
    loop {
        match fs::rename(temporary, path) {
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(1));
            }
            renamed => return renamed,
        }
    }
}

/// Opens a file to read, if it is a regular one.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    regular(File::open(path)?)
}

/// Opens a file of ours to append to.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Opens a file of ours to read what is noted in it, and to add to that.
pub(crate) fn open_read_append(path: &Path) -> io::Result<File> {
    // To be cut short it has to be open for writing anywhere.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    regular(file)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// The bytes that a path is hashed and recorded by.
pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// The inverse of [`path_bytes`], of paths that are text.
pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}
