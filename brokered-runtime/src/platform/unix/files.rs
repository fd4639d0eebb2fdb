//! Private directories, the lock on them, and the files in them.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::descriptors::set_blocking;
use super::file_size::FileSizeSignalBlock;
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
    Ok(choose_runtime_directory(
        cfg!(any(target_os = "linux", target_os = "android")),
        user_id(),
        |variable| env::var_os(variable),
        Path::exists,
        user_temporary_directory,
    ))
}

/// The choice as a function of all that it depends on, so that a test pins it for each system. Nothing is looked at
/// before it is needed.
fn choose_runtime_directory(
    has_run_user: bool,
    user: u32,
    variable: impl Fn(&str) -> Option<OsString>,
    exists: impl FnOnce(&Path) -> bool,
    user_temporary_directory: impl FnOnce() -> Option<PathBuf>,
) -> PathBuf {
    let present = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(directory) = present("XDG_RUNTIME_DIR") {
        return directory.join("brokered");
    }
    if has_run_user {
        let directory = PathBuf::from(format!("/run/user/{user}"));
        if exists(&directory) {
            return directory.join("brokered");
        }
    }
    if let Some(directory) = user_temporary_directory() {
        return directory.join("brokered");
    }
    if let Some(home) = present("HOME") {
        return home.join(".cache/brokered/run");
    }
    fallback_directory_of(user)
}

pub(crate) fn fallback_directory() -> PathBuf {
    fallback_directory_of(user_id())
}

fn fallback_directory_of(user: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/brokered-{user}"))
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

impl FileIdentity {
    pub(super) fn new(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

pub(crate) fn file_identity(path: &Path) -> io::Result<Option<FileIdentity>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(FileIdentity::new(&metadata))),
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

/// The temporary file is always a new one: what else is at its path may be another file's name or a link to one, and
/// opening a pipe would block.
pub(crate) fn replace_file(path: &Path, temporary: &Path, contents: &[u8]) -> io::Result<()> {
    let create = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(temporary)
    };
    let mut file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(temporary).map_err(|error| {
                let text = format!("{} is in the way: {error}", temporary.display());
                io::Error::new(error.kind(), text)
            })?;
            create()?
        }
        created => created?,
    };
    let written = write_all(&mut file, contents).and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written
}

pub(crate) fn write_all(file: &mut File, contents: &[u8]) -> io::Result<()> {
    let _blocked = FileSizeSignalBlock::if_limited();
    file.write_all(contents)
}

/// A read never blocks, because pipes and devices are refused.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    open_for_reading(path, libc::O_NOFOLLOW)
}

pub(crate) fn open_regular_or_link(path: &Path) -> io::Result<File> {
    open_for_reading(path, 0)
}

fn open_for_reading(path: &Path, flags: libc::c_int) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags | libc::O_NONBLOCK);
    regular(options.open(path).map_err(explained)?)
}

pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    let file = open_own(path, OpenOptions::new().append(true))?;
    set_blocking(file.as_raw_fd())?;
    Ok(file)
}

pub(crate) fn open_append_anything(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).map_err(explained)?;
    set_blocking(file.as_raw_fd())?;
    Ok(file)
}

pub(crate) fn open_read_append(path: &Path) -> io::Result<File> {
    open_own(path, OpenOptions::new().read(true).append(true))
}

/// How often a file with several names is replaced before that is an error.
const REPLACE_ATTEMPTS: u32 = 3;

/// Opens a regular file that has no other name, and creates it if it is missing. Writing into a file with another name
/// would change it there, so this path gets a new file.
fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    for _ in 0..REPLACE_ATTEMPTS {
        let file = regular(options.open(path).map_err(explained)?)?;
        if file.metadata()?.nlink() <= 1 {
            return Ok(file);
        }
        fs::remove_file(path)?;
    }
    Err(io::Error::other(
        "it has several hard links again and again",
    ))
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular("it is not a regular file"))
    }
}

/// The texts of the system for these errors do not say what is at the path.
fn explained(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ELOOP) => not_regular("it is a symbolic link, which is not followed"),
        Some(libc::ENXIO) => not_regular("it is a pipe that no process reads, or a socket"),
        _ => error,
    }
}

fn not_regular(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each way to choose. Another path here means that daemons and clients of two releases never meet.
    #[test]
    fn the_default_runtime_directory_is_pinned_for_each_system() {
        const MACOS_TEMPORARY: &str = "/var/folders/x1/y2/T/";
        let set = [
            ("XDG_RUNTIME_DIR", "/run/user/1000"),
            ("HOME", "/home/ann"),
            ("TMPDIR", "/scratch"),
        ];
        let home = &set[1..];
        let empty = [("XDG_RUNTIME_DIR", ""), ("HOME", "")];
        // The system, its variables, whether `/run/user/1000` exists, and the directory.
        for (system, variables, exists, expected) in [
            ("linux", &set[..], true, "/run/user/1000/brokered"),
            ("linux", home, true, "/run/user/1000/brokered"),
            ("linux", home, false, "/home/ann/.cache/brokered/run"),
            ("linux", &empty, true, "/run/user/1000/brokered"),
            ("linux", &empty, false, "/tmp/brokered-1000"),
            ("linux", &[], false, "/tmp/brokered-1000"),
            ("macos", &set[..], false, "/run/user/1000/brokered"),
            ("macos", home, true, "/var/folders/x1/y2/T/brokered"),
            ("macos", &[], false, "/var/folders/x1/y2/T/brokered"),
            ("freebsd", &set[..], false, "/run/user/1000/brokered"),
            ("freebsd", home, true, "/home/ann/.cache/brokered/run"),
            ("freebsd", &empty, true, "/tmp/brokered-1000"),
        ] {
            let variable = |name: &str| {
                let mut set = variables.iter();
                set.find(|(set, _)| *set == name)
                    .map(|(_, value)| OsString::from(value))
            };
            let exists = |path: &Path| {
                assert_eq!(path, Path::new("/run/user/1000"));
                exists
            };
            let temporary = || (system == "macos").then(|| PathBuf::from(MACOS_TEMPORARY));
            let chosen =
                choose_runtime_directory(system == "linux", 1000, variable, exists, temporary);
            assert_eq!(chosen.as_os_str(), expected, "{system}, {variables:?}");
        }
        assert_eq!(
            fallback_directory_of(1000).as_os_str(),
            "/tmp/brokered-1000"
        );
    }

    #[test]
    fn the_names_of_sockets_and_the_longest_path_are_pinned() {
        let directory = Path::new("/run/user/1000/brokered/words");
        for (name, expected) in [
            ("socket", "/run/user/1000/brokered/words/socket"),
            ("control", "/run/user/1000/brokered/words/control"),
        ] {
            assert_eq!(endpoint_path(directory, name).as_os_str(), expected);
        }
        let longest = if cfg!(all(target_os = "linux", not(brokered_portable))) {
            107
        } else {
            103
        };
        let path = |length: usize| PathBuf::from(format!("/{}", "x".repeat(length - 1)));
        assert!(fits_endpoint(&path(longest)));
        assert!(!fits_endpoint(&path(longest + 1)));
    }
}
