//! [`Paths`]: the files of an instance.
//!
//! A daemon and its clients compute the same paths with the same function. If they did not, they would never meet.

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::daemon::Daemon;
use super::error::{DirectoryError, InstanceError};
use crate::hash::hash;
use crate::platform;

/// The environment variable that names the runtime directory. It takes precedence over the platform's default.
pub(crate) const RUNTIME_DIRECTORY: &str = "BROKERED_RUNTIME_DIR";

/// How often a directory is created that another process removes at once, as an operator's tool may.
const MAX_CREATIONS: u32 = 100;

/// The files of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The runtime directory. It and everything in it must be private to this user.
    runtime: PathBuf,
    /// The instance directory.
    directory: PathBuf,
    /// The endpoint.
    pub(crate) socket: PathBuf,
}

/// Which instance of a daemon.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selector<'a> {
    /// The default instance: one for each user.
    User,
    /// The instance for a directory, whose path is canonical.
    Directory(&'a Path),
    /// The instance of a name.
    Name(&'a str),
}

impl Paths {
    /// Computes the files of an instance. They are in `/tmp` if the path of a socket would be too long otherwise.
    pub(crate) fn of(daemon: Daemon, selector: Selector<'_>) -> Result<Self, InstanceError> {
        Ok(Self::below(runtime_directory()?, daemon, selector))
    }

    /// The same with a runtime directory.
    fn below(runtime: PathBuf, daemon: Daemon, selector: Selector<'_>) -> Self {
        let directory = runtime.join(directory_name(daemon, selector));
        let paths = Self::within(runtime, directory);
        if platform::fits_endpoint(&paths.longest_endpoint()) {
            return paths;
        }
        let hash = hash(&[platform::path_bytes(&paths.directory)]);
        let runtime = platform::fallback_directory();
        let directory = runtime.join(format!("{hash:016x}"));
        Self::within(runtime, directory)
    }

    /// The files in an instance directory that is already computed.
    pub(crate) fn in_directory(directory: PathBuf) -> Self {
        let runtime = directory.parent().unwrap_or(&directory).to_owned();
        Self::within(runtime, directory)
    }

    fn within(runtime: PathBuf, directory: PathBuf) -> Self {
        Self {
            runtime,
            socket: platform::endpoint_path(&directory, "socket"),
            directory,
        }
    }

    /// The instance directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The control endpoint.
    pub(crate) fn control(&self) -> PathBuf {
        platform::endpoint_path(&self.directory, "control")
    }

    /// The record.
    pub(crate) fn record(&self) -> PathBuf {
        self.directory.join("record")
    }

    /// The file that is renamed to the record. One name is enough, because only the holder of the lock writes it.
    pub(crate) fn new_record(&self) -> PathBuf {
        self.directory.join("record.new")
    }

    /// The default log.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// The start history.
    pub(crate) fn starts(&self) -> PathBuf {
        self.directory.join("starts")
    }

    /// The longest path that is bound in the directory.
    fn longest_endpoint(&self) -> PathBuf {
        self.control()
    }

    /// Creates the directories that are missing, and refuses those that are not private to this user.
    pub(crate) fn prepare(&self) -> Result<(), DirectoryError> {
        prepare(&self.runtime)?;
        prepare(&self.directory)
    }

    /// Refuses directories that are not private to this user.
    pub(crate) fn check(&self) -> Result<(), DirectoryError> {
        check(&self.runtime)?;
        check(&self.directory)
    }

    /// Refuses a runtime directory that is not private to this user.
    #[cfg(feature = "operator")]
    pub(crate) fn check_runtime(&self) -> Result<(), DirectoryError> {
        check(&self.runtime)
    }

    /// Opens the file or directory on which the instance lock is taken.
    pub(crate) fn open_lock(&self) -> io::Result<File> {
        platform::open_lock(&self.directory)
    }

    /// Opens the launch lock. `None` on platforms without one.
    pub(crate) fn open_launch_lock(&self) -> io::Result<Option<File>> {
        platform::open_launch_lock(&self.directory)
    }

    /// Whether this lock is on the directory to which the path leads now.
    pub(crate) fn is_locked_by(&self, lock: &File) -> io::Result<bool> {
        platform::is_lock_at(lock, &self.directory)
    }
}

/// The runtime directory of all instances whose paths are not too long.
pub(crate) fn runtime_directory() -> Result<PathBuf, InstanceError> {
    let chosen = match env::var_os(RUNTIME_DIRECTORY) {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => {
            platform::default_runtime_directory().map_err(|_| InstanceError::NoRuntimeDirectory)?
        }
    };
    if chosen.is_absolute() {
        // Removes `/.` and `/` at the end, with which the check would follow a symbolic link to its target.
        Ok(chosen.components().collect())
    } else {
        Err(InstanceError::RelativeRuntimeDirectory { path: chosen })
    }
}

/// `words`, `words.2`, `words-0123456789abcdef` or `words.2-0123456789abcdef`. No name contains a dot, so contract 2 of
/// `words` is never the daemon `words-2`.
fn directory_name(daemon: Daemon, selector: Selector<'_>) -> String {
    let mut name = String::from(daemon.name());
    if daemon.contract_number() != 1 {
        let _ = write!(name, ".{}", daemon.contract_number());
    }
    let hash = match selector {
        Selector::User => return name,
        Selector::Directory(path) => hash(&[b"directory:", platform::path_bytes(path)]),
        Selector::Name(text) => hash(&[b"name:", text.as_bytes()]),
    };
    let _ = write!(name, "-{hash:016x}");
    name
}

fn prepare(directory: &Path) -> Result<(), DirectoryError> {
    let mut is_created = false;
    for _ in 0..MAX_CREATIONS {
        match platform::check_directory(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some((session, fault)) = platform::foreign_session_directory(directory) {
                    return Err(DirectoryError::fault(session, fault));
                }
                platform::create_directory(directory)
                    .map_err(|error| DirectoryError::io(directory.to_owned(), error))?;
                is_created = true;
            }
            checked if is_created => return to_error_of_created(directory, checked),
            checked => return to_error(directory, checked),
        }
    }
    check(directory)
}

fn check(directory: &Path) -> Result<(), DirectoryError> {
    to_error(directory, platform::check_directory(directory))
}

/// The error of a directory that this process has just created with mode `0700`. A umask that takes permissions from the
/// owner makes it unusable for all later processes, too, so it is removed again. So it is where a file system has its own
/// modes, as that of Windows drives in WSL has.
fn to_error_of_created(
    directory: &Path,
    checked: io::Result<Option<platform::DirectoryFault>>,
) -> Result<(), DirectoryError> {
    match checked {
        Ok(Some(platform::DirectoryFault::Mode(mode))) => {
            // It is empty, or another process uses it already.
            let _ = std::fs::remove_dir(directory);
            let fault = platform::DirectoryFault::CreatedWith(mode);
            Err(DirectoryError::fault(directory.to_owned(), fault))
        }
        checked => to_error(directory, checked),
    }
}

fn to_error(
    directory: &Path,
    checked: io::Result<Option<platform::DirectoryFault>>,
) -> Result<(), DirectoryError> {
    match checked {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(DirectoryError::fault(directory.to_owned(), fault)),
        Err(error) => Err(DirectoryError::io(directory.to_owned(), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Daemon = Daemon::new("words");

    /// Other names mean that daemons and clients of two releases never meet. The hashes were computed elsewhere.
    #[test]
    fn the_names_of_instance_directories_are_pinned() {
        let directory = Selector::Directory(Path::new("/srv/project"));
        let name = Selector::Name("staging");
        for (daemon, selector, expected) in [
            (WORDS, Selector::User, "words"),
            (WORDS.contract(2), Selector::User, "words.2"),
            (WORDS, directory, "words-327a863eb12b810e"),
            (WORDS.contract(2), directory, "words.2-327a863eb12b810e"),
            (WORDS, name, "words-89a3206f92994405"),
        ] {
            assert_eq!(directory_name(daemon, selector), expected);
        }
    }

    #[test]
    #[cfg(unix)]
    fn the_files_of_an_instance_are_pinned() {
        let below = |runtime: &str| Paths::below(PathBuf::from(runtime), WORDS, Selector::User);
        let paths = below("/run/user/1000/brokered");
        for (path, expected) in [
            (paths.socket.clone(), "/run/user/1000/brokered/words/socket"),
            (paths.control(), "/run/user/1000/brokered/words/control"),
            (paths.record(), "/run/user/1000/brokered/words/record"),
            (paths.log(), "/run/user/1000/brokered/words/log"),
            (paths.starts(), "/run/user/1000/brokered/words/starts"),
        ] {
            assert_eq!(path.as_os_str(), expected);
        }
        // Too long for a socket on every system.
        let long = below(
            "/run/user/1000/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/brokered",
        );
        assert_eq!(
            long.directory,
            platform::fallback_directory().join("17fe669379228ae1")
        );
    }

    #[test]
    fn a_contract_number_is_not_mistaken_for_part_of_a_name() {
        let second_contract = directory_name(WORDS.contract(2), Selector::User);
        let other_daemon = directory_name(Daemon::new("words-2"), Selector::User);
        assert_ne!(second_contract, other_daemon);
    }

    #[test]
    fn a_directory_and_a_name_of_the_same_text_are_different_instances() {
        let directory = directory_name(WORDS, Selector::Directory(Path::new("/srv")));
        let name = directory_name(WORDS, Selector::Name("/srv"));
        assert_ne!(directory, name);
    }
}
