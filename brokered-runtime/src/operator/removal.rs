//! [`InstanceDirectory::remove`]: removes an instance directory that no process uses.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::instance_directory::InstanceDirectory;
use super::record::RecordState;
use crate::instance_lock::LauncherLocks;
use crate::platform::{self, PathOccupant};
use crate::{DirectoryError, identity};

/// The files that the framework creates in an instance directory. `lock` and `spawn.lock` are those of Windows.
const FILES: [&str; 9] = [
    "socket",
    "control",
    "record",
    "record.new",
    "starts",
    "log",
    "log.1",
    "lock",
    "spawn.lock",
];

impl InstanceDirectory {
    /// How long ago the directory or a file in it was last changed, by this machine's clock.
    ///
    /// Zero if the clock was set back since. A running daemon changes few files, so this says something only about an
    /// instance whose lock is free.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn unchanged_for(&self) -> io::Result<Duration> {
        let mut newest = fs::symlink_metadata(self.path())?.modified()?;
        for entry in fs::read_dir(self.path())? {
            // A file that was removed meanwhile has changed the directory instead.
            if let Ok(modified) = entry?.metadata().and_then(|file| file.modified()) {
                newest = newest.max(modified);
            }
        }
        Ok(SystemTime::now().duration_since(newest).unwrap_or_default())
    }

    /// Removes the directory with the record, the log and the other files of the instance, if no process uses it.
    ///
    /// The instance lock is held meanwhile, so no daemon starts in the directory. The next client or daemon creates it
    /// again. Nothing is removed if the directory holds a file that the framework does not create.
    ///
    /// On Windows, a file that another process has open stays, and the error names it.
    ///
    /// # Errors
    ///
    /// See [`RemovalError`]. After [`RemovalError::Io`], some of the files may have been removed.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use brokered_runtime::operator::{LockState, instance_directories};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// const UNUSED: Duration = Duration::from_secs(90 * 86_400);
    /// for instance in instance_directories()?.instances {
    ///     if instance.lock_state()? == LockState::Free && instance.unchanged_for()? > UNUSED {
    ///         instance.remove()?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&self) -> Result<(), RemovalError> {
        self.check_permissions().map_err(RemovalError::Directory)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RemovalError::Io { path, source }
        };
        let Some(_lock) = LauncherLocks::try_take(self.paths()).map_err(failed(self.path()))?
        else {
            return Err(RemovalError::InUse {
                path: self.path().to_owned(),
            });
        };
        self.refuse_service_manager()?;
        self.refuse_listener()?;
        let files = self.own_files()?;
        for file in &files {
            fs::remove_file(file).map_err(failed(file))?;
        }
        fs::remove_dir(self.path()).map_err(failed(self.path()))
    }

    /// A service manager listens on an endpoint while no daemon runs, and holds no lock.
    fn refuse_service_manager(&self) -> Result<(), RemovalError> {
        let owner = match self.read_record() {
            RecordState::Valid(record) if record.is_of_service_manager() => Some(record.owner),
            _ => None,
        };
        let is_socket_of_one = matches!(
            platform::path_occupant(&self.endpoint()),
            Ok(PathOccupant::ServiceManagerSocket)
        );
        match owner {
            None if !is_socket_of_one => Ok(()),
            owner => Err(RemovalError::ServiceManager {
                endpoint: self.endpoint(),
                owner: owner.unwrap_or("a service manager"),
            }),
        }
    }

    /// A process that listens and holds no lock is no daemon, so neither are the directory's other files a daemon's.
    fn refuse_listener(&self) -> Result<(), RemovalError> {
        for endpoint in [self.endpoint(), self.control_endpoint()] {
            let listens = match platform::connect(&endpoint, Instant::now()) {
                Ok(_) => true,
                Err(error) => !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ),
            };
            let is_socket = matches!(
                platform::path_occupant(&endpoint),
                Ok(PathOccupant::OwnSocket | PathOccupant::Nothing)
            );
            if !is_socket {
                return Err(RemovalError::OtherFile { path: endpoint });
            }
            if listens {
                return Err(RemovalError::Listener { endpoint });
            }
        }
        Ok(())
    }

    /// The files in the directory, if the framework creates files of all these names.
    fn own_files(&self) -> Result<Vec<PathBuf>, RemovalError> {
        let failed = |source| RemovalError::Io {
            path: self.path().to_owned(),
            source,
        };
        if !is_instance_name(&self.name()) {
            return Err(RemovalError::OtherFile {
                path: self.path().to_owned(),
            });
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(self.path()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_own = FILES.iter().any(|name| entry.file_name() == *name);
            let is_directory = entry.file_type().map_err(failed)?.is_dir();
            if !is_own || is_directory {
                return Err(RemovalError::OtherFile { path: entry.path() });
            }
            files.push(entry.path());
        }
        Ok(files)
    }
}

/// Whether the framework gives a directory this name: `words`, `words.2`, each also with a hash, or only a hash.
fn is_instance_name(name: &str) -> bool {
    let (name, contract) = name.split_once('.').unwrap_or((name, "1"));
    let contract = contract
        .split_once('-')
        .map_or(contract, |(number, _)| number);
    is_daemon_name_with_hash(name) && contract.parse::<u32>().is_ok()
}

/// A name of at most 64 characters, and a hash.
fn is_daemon_name_with_hash(name: &str) -> bool {
    let without_hash = name.rsplit_once('-').map_or(name, |(name, _)| name);
    identity::is_daemon_name(name) || identity::is_daemon_name(without_hash)
}

/// Why an instance directory was not removed.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemovalError {
    /// The directory is missing, or does not belong to this user alone.
    Directory(DirectoryError),
    /// A process holds the instance lock: a daemon runs, or is being started.
    InUse {
        /// The instance directory.
        path: PathBuf,
    },
    /// The endpoint is a service manager's.
    ServiceManager {
        /// The endpoint.
        endpoint: PathBuf,
        /// The service manager.
        owner: &'static str,
    },
    /// A process listens on an endpoint, and is no daemon: it does not hold the lock.
    Listener {
        /// The endpoint.
        endpoint: PathBuf,
    },
    /// The directory, or a file in it, is not one that the framework creates. Nothing was removed.
    OtherFile {
        /// The directory, or the first such file.
        path: PathBuf,
    },
    /// A file or the directory cannot be read or removed.
    Io {
        /// Its path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl fmt::Display for RemovalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::InUse { path } => write!(
                f,
                "a process holds the lock on {}: the daemon runs, or is being started",
                path.display()
            ),
            Self::ServiceManager { endpoint, owner } => write!(
                f,
                "{} belongs to {owner}, which starts the daemon; disable its unit first",
                endpoint.display()
            ),
            Self::Listener { endpoint } => write!(
                f,
                "a process that is no daemon listens on {}: nothing was removed",
                endpoint.display()
            ),
            Self::OtherFile { path } => write!(
                f,
                "no daemon created {}: nothing was removed; move it elsewhere if you need it",
                path.display()
            ),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl Error for RemovalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text contains the text of the inner error, so the next cause is the inner error's.
            Self::Directory(error) => error.source(),
            Self::Io { source, .. } => source.source(),
            Self::InUse { .. }
            | Self::ServiceManager { .. }
            | Self::Listener { .. }
            | Self::OtherFile { .. } => None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::identity::paths::Paths;
    use crate::instance_lock::InstanceLock;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    type TestResult = Result<(), Box<dyn Error>>;

    /// An instance directory with a log and a start history.
    fn instance(root: &Path) -> Result<InstanceDirectory, Box<dyn Error>> {
        let paths = Paths::in_directory(root.join("runtime/words"));
        paths.prepare()?;
        fs::write(paths.log(), "output\n")?;
        fs::write(paths.starts(), "")?;
        Ok(InstanceDirectory::from_paths(paths))
    }

    #[test]
    fn an_unused_directory_is_removed_and_created_again() -> TestResult {
        let root = tempfile::tempdir()?;
        let instance = instance(root.path())?;
        assert!(instance.unchanged_for()? < Duration::from_secs(3600));
        instance.remove()?;
        assert!(!instance.exists());
        assert!(matches!(instance.remove(), Err(RemovalError::Directory(_))));
        instance.paths().prepare()?;
        assert!(InstanceLock::try_take(instance.paths())?.is_some());
        Ok(())
    }

    #[test]
    fn a_directory_in_use_stays() -> TestResult {
        let root = tempfile::tempdir()?;
        let instance = instance(root.path())?;
        let lock = InstanceLock::try_take(instance.paths())?.expect("free");
        assert!(matches!(instance.remove(), Err(RemovalError::InUse { .. })));
        drop(lock);
        // A service manager listens and holds no lock.
        let socket = UnixListener::bind(instance.endpoint())?;
        fs::set_permissions(instance.endpoint(), fs::Permissions::from_mode(0o600))?;
        assert!(matches!(
            instance.remove(),
            Err(RemovalError::ServiceManager { .. })
        ));
        drop(socket);
        assert!(instance.default_log_path().exists() && instance.endpoint().exists());
        fs::remove_file(instance.endpoint())?;
        // Another program has a socket of this name, in a directory that it shares with daemons.
        let socket = UnixListener::bind(instance.control_endpoint())?;
        assert!(matches!(
            instance.remove(),
            Err(RemovalError::Listener { .. })
        ));
        drop(socket);
        instance.remove()?;
        Ok(())
    }

    #[test]
    fn a_file_that_no_daemon_created_prevents_the_removal() -> TestResult {
        let root = tempfile::tempdir()?;
        let instance = instance(root.path())?;
        let notes = instance.path().join("notes");
        for make in [
            |path: &Path| fs::write(path, "mine"),
            |path: &Path| fs::create_dir(path),
        ] {
            make(&notes)?;
            let error = instance.remove().expect_err("there is another file");
            assert!(error.to_string().contains("words/notes"), "{error}");
            assert!(notes.exists() && instance.default_log_path().exists());
            fs::remove_file(&notes).or_else(|_| fs::remove_dir(&notes))?;
        }
        fs::create_dir(instance.record_path())?;
        let error = instance.remove().expect_err("the record is a directory");
        assert!(error.to_string().contains("words/record"), "{error}");
        Ok(())
    }

    #[test]
    fn a_directory_of_another_program_stays() -> TestResult {
        for (name, is_ours) in [
            ("words", true),
            ("words.2", true),
            ("words-0123456789abcdef", true),
            ("words.12-0123456789abcdef", true),
            ("0123456789abcdef", true),
            ("Words", false),
            ("words.d", false),
            (".words", false),
            ("words_2", false),
        ] {
            assert_eq!(is_instance_name(name), is_ours, "{name}");
        }
        let root = tempfile::tempdir()?;
        let instance = instance(root.path())?;
        fs::write(instance.endpoint(), "mine")?;
        let error = instance.remove().expect_err("the socket is a file");
        assert!(error.to_string().contains("words/socket"), "{error}");
        Ok(())
    }

    #[test]
    fn a_link_is_removed_and_not_what_it_leads_to() -> TestResult {
        let root = tempfile::tempdir()?;
        let instance = instance(root.path())?;
        let outside = root.path().join("outside");
        fs::write(&outside, "mine")?;
        fs::remove_file(instance.default_log_path())?;
        symlink(&outside, instance.default_log_path())?;
        instance.remove()?;
        assert!(!instance.exists());
        assert_eq!(fs::read_to_string(&outside)?, "mine");
        // The directory itself as a link is refused.
        let real = root.path().join("real");
        fs::create_dir(&real)?;
        symlink(&real, instance.path())?;
        assert!(matches!(instance.remove(), Err(RemovalError::Directory(_))));
        assert!(real.exists());
        Ok(())
    }
}
