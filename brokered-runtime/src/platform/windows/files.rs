//! Private directories, the locks and files in them, and the names of pipes.

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

use super::ffi::{check, wide};
use super::security_descriptor::SecurityDescriptor;
use super::user::{self, Owner, User};
use crate::hash::hash;
use crate::platform::types::{DirectoryFault, PathOccupant};

/// How long [`replace_file`] retries while another process reads the file.
const REPLACE_TIMEOUT: Duration = Duration::from_millis(500);

/// The prefix of every pipe's name.
const PIPE_PREFIX: &str = r"\\.\pipe\";

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

/// Never needed, because the name of a pipe is not a path in a directory.
pub(crate) fn fallback_directory() -> PathBuf {
    env::temp_dir().join("brokered")
}

pub(crate) fn fits_endpoint(_path: &Path) -> bool {
    true
}

/// `\\.\pipe\brokered-<hash>-<instance>`, with `-control` for the control endpoint.
///
/// All users of the machine share one name space for pipes. So the hash is of the user and the runtime directory, whose
/// case does not matter.
pub(crate) fn endpoint_path(directory: &Path, name: &str) -> PathBuf {
    // If the user is unknown, then `bind` and `connect` fail as well, so the name does not matter.
    let user = User::current().and_then(User::text).unwrap_or_default();
    let runtime = directory.parent().unwrap_or(directory);
    let runtime = runtime.to_string_lossy().to_lowercase();
    let hash = hash(&[user.as_bytes(), b" ", runtime.as_bytes()]);
    let instance = directory.file_name().unwrap_or(OsStr::new("instance"));
    let mut pipe = format!("{PIPE_PREFIX}brokered-{hash:016x}-{}", instance.display());
    if name != "socket" {
        pipe.push('-');
        pipe.push_str(name);
    }
    PathBuf::from(pipe)
}

/// Windows has no such variable.
pub(crate) fn foreign_session_directory(_path: &Path) -> Option<(PathBuf, DirectoryFault)> {
    None
}

/// The security descriptor gives access to this user alone.
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

pub(crate) fn create_new_directory(path: &Path) -> io::Result<()> {
    let descriptor = SecurityDescriptor::for_directories()?;
    let attributes = descriptor.attributes();
    let path = wide(path.as_os_str());
    // SAFETY: the path ends with a zero. The attributes and the security descriptor in them outlive the call.
    check(unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) })
}

pub(crate) fn check_directory(path: &Path) -> io::Result<Option<DirectoryFault>> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.file_type().is_symlink() {
        return Ok(Some(DirectoryFault::Link));
    }
    if !metadata.is_dir() {
        return Ok(Some(DirectoryFault::NotADirectory));
    }
    Ok(match user::owner_of_file(path)? {
        Owner::ThisUser | Owner::GroupOfThisUser => None,
        Owner::Other(owner) => Some(DirectoryFault::Owner {
            owner,
            expected: User::current()?.number(),
        }),
    })
}

/// The instance lock is on the file `lock`. While a process has it open, neither the file nor the directory can be
/// removed.
pub(crate) fn open_lock(directory: &Path) -> io::Result<File> {
    open_to_lock(&directory.join("lock"))
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "the signature is the same on every platform"
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

/// After a close without an unlock, the system releases the lock with a delay.
pub(crate) fn release_lock(lock: &File) {
    let _ = lock.unlock();
}

pub(crate) fn is_lock_at(lock: &File, directory: &Path) -> io::Result<bool> {
    let at_path = OpenOptions::new()
        .access_mode(0)
        .open(directory.join("lock"));
    match at_path {
        Ok(at_path) => Ok(identity(lock)? == identity(&at_path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(feature = "operator")]
pub(crate) fn is_file_at(open: &File, path: &Path) -> io::Result<bool> {
    Ok(identity(open)? == identity(&File::open(path)?)?)
}

/// The standard library's function returns a path with the prefix `\\?\`. Many programs do not start in such a
/// directory.
pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    dunce::canonicalize(path)
}

/// Identifies a file while it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    volume: u32,
    file: (u32, u32),
}

fn identity(file: &File) -> io::Result<FileIdentity> {
    let mut information = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: `information` is valid for writes, and an all-zero value is valid, too.
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

/// A pipe has no file.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the signature is the same on every platform"
)]
pub(crate) fn file_identity(_path: &Path) -> io::Result<Option<FileIdentity>> {
    Ok(None)
}

/// A pipe leaves no file behind.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the signature is the same on every platform"
)]
pub(crate) fn path_occupant(_path: &Path) -> io::Result<PathOccupant> {
    Ok(PathOccupant::Nothing)
}

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

/// The system refuses to replace a file that another process is reading, so this retries.
fn replace(path: &Path, temporary: &Path) -> io::Result<()> {
    let deadline = Instant::now() + REPLACE_TIMEOUT;
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

pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    regular(File::open(path)?)
}

pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

pub(crate) fn open_read_append(path: &Path) -> io::Result<File> {
    // Append access alone would not allow the file to be truncated.
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

pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Only a path that is valid Unicode can be restored.
pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}
