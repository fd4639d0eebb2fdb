//! [`Instance`]: one instance of a [`Daemon`], and how to start it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::daemon::Daemon;
use super::error::InstanceError;
use super::launch_options::{LaunchOptions, StartLimit, WaitFor};
use super::paths::{Paths, Selector};
use crate::platform;

/// One instance of a [`Daemon`], and how to start it.
///
/// Created by [`Daemon::at`], [`Daemon::named`] and [`Daemon::instance`]. It computes its paths once, when they are
/// first needed, and keeps them. A program that connects often should keep the instance.
///
/// ```no_run
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use brokered_runtime::Daemon;
///
/// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let indexd = INDEXD.at(".").arg("--quick").deadline(Duration::from_secs(5));
/// let mut stream = indexd.connect_or_spawn()?;
/// stream.write_all(b"how many files?\n")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Instance {
    daemon: Daemon,
    directory: Option<PathBuf>,
    name: Option<String>,
    pub(crate) launch: LaunchOptions,
    resolved: OnceLock<Resolved>,
}

#[derive(Debug, Clone)]
struct Resolved {
    paths: Paths,
    directory: Option<PathBuf>,
}

impl Instance {
    pub(crate) fn new(daemon: Daemon, directory: Option<PathBuf>, name: Option<String>) -> Self {
        Self {
            daemon,
            directory,
            name,
            launch: LaunchOptions::default(),
            resolved: OnceLock::new(),
        }
    }

    /// The instance of a launched daemon, with the paths that the launcher has computed.
    pub(crate) fn from_handoff(
        daemon: Daemon,
        directory: Option<PathBuf>,
        name: Option<String>,
        paths: Paths,
    ) -> Self {
        let instance = Self::new(daemon, directory.clone(), name);
        let _ = instance.resolved.set(Resolved { paths, directory });
        instance
    }

    /// The same instance with other paths, for a test. If the daemon needs a directory and none was given, `directory`
    /// creates one.
    #[cfg(feature = "testing")]
    pub(crate) fn with_paths(
        &self,
        paths: Paths,
        directory: impl FnOnce() -> std::io::Result<PathBuf>,
    ) -> Result<Self, InstanceError> {
        self.check_scope()?;
        let directory = match &self.directory {
            Some(given) => Some(canonical(given)?),
            None if self.daemon.is_per_directory() => {
                let created = directory().map_err(|source| InstanceError::Directory {
                    path: paths.directory().to_owned(),
                    source,
                })?;
                Some(created)
            }
            None => None,
        };
        Ok(Self::from_handoff(
            self.daemon,
            directory,
            self.name.clone(),
            paths,
        ))
    }

    /// The daemon of which this is an instance.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.daemon
    }

    /// The directory of the instance. Without symbolic links after the first call that needs the paths.
    ///
    /// For a daemon that does not have one instance for each directory, this is `/`, which is the default working
    /// directory.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// # use std::path::Path;
    /// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
    /// assert_eq!(INDEXD.at("src").directory(), Path::new("src"));
    /// ```
    #[must_use]
    pub fn directory(&self) -> &Path {
        let resolved = self.resolved.get();
        resolved
            .and_then(|resolved| resolved.directory.as_deref())
            .or(self.directory.as_deref())
            .unwrap_or(Path::new("/"))
    }

    /// The name that was given to [`Daemon::named`].
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The endpoint: the path of a Unix socket, or the name of a Windows pipe.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd");
    /// println!("indexd listens on {}", INDEXD.instance().endpoint()?.display());
    /// # Ok::<(), brokered_runtime::InstanceError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the instance does not fit its daemon's scope, its directory cannot be reached, or the environment names no
    /// usable runtime directory. See [`InstanceError`].
    pub fn endpoint(&self) -> Result<PathBuf, InstanceError> {
        Ok(self.paths()?.socket.clone())
    }

    /// The log of a launched daemon: the file that was set with [`log`](Self::log), or `log` in the instance directory.
    ///
    /// # Errors
    ///
    /// The errors of [`endpoint`](Self::endpoint).
    pub fn log_path(&self) -> Result<PathBuf, InstanceError> {
        match &self.launch.log {
            Some(log) => Ok(log.clone()),
            None => Ok(self.paths()?.log()),
        }
    }

    /// Sets the executable to start.
    ///
    /// The default is this executable, if it is also the daemon (`#[brokered_daemon(.., cli = ..)]`). Otherwise it is
    /// the executable of the daemon's name in the same directory. `PATH` is never searched.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// # const INDEXD: Daemon = Daemon::new("indexd");
    /// let indexd = INDEXD.instance().program("/usr/libexec/indexd").arg("--quick");
    /// # drop(indexd);
    /// ```
    #[must_use]
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.launch.program = Some(program.as_ref().to_owned());
        self
    }

    /// Adds an argument for the daemon.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.launch.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments for the daemon.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(|one| one.as_ref().to_owned());
        self.launch.arguments.extend(arguments);
        self
    }

    /// Sets an environment variable for the daemon.
    ///
    /// The daemon inherits the client's environment, except for variables that belong to the client alone: make's job
    /// server, the repository of a git hook (`GIT_DIR` and the like), and the sockets of a service manager.
    #[must_use]
    pub fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let pair = (
            variable.as_ref().to_owned(),
            Some(value.as_ref().to_owned()),
        );
        self.launch.environment.push(pair);
        self
    }

    /// Removes an environment variable for the daemon.
    #[must_use]
    pub fn env_remove(mut self, variable: impl AsRef<OsStr>) -> Self {
        let pair = (variable.as_ref().to_owned(), None);
        self.launch.environment.push(pair);
        self
    }

    /// Clears the daemon's environment. Only variables that are set with [`env`](Self::env) after this remain.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.launch.clear_environment = true;
        self.launch.environment.clear();
        self
    }

    /// Sets the daemon's working directory. The default is the instance's [`directory`](Self::directory).
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.launch.current_dir = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets the log: the file that receives the daemon's output. The default is `log` in the instance directory.
    ///
    /// The log is rotated when it is larger than [`max_log_size`](Self::max_log_size): it is renamed to `<file>.1`, in
    /// place of any file that is there. If another program rotates the log, such as logrotate, set
    /// [`max_log_size(None)`](Self::max_log_size). A log that is not a regular file, such as `/dev/null`, is never
    /// rotated.
    ///
    /// On Unix the path may lead to a device, to a pipe that a process reads, or over symbolic links to a file. None of
    /// these is rotated.
    #[must_use]
    pub fn log(mut self, file: impl AsRef<Path>) -> Self {
        self.launch.log = Some(file.as_ref().to_owned());
        self
    }

    /// Sets the size in bytes beyond which the log is rotated, at a start and while the daemon runs. `None` leaves the
    /// log alone. The default is 10 MiB.
    ///
    /// A rotation renames the log to the same path with `.1` at its end, and continues in a new file. This replaces the
    /// file that is at that path: the older part of the rotation before, or any other file. So the two files together
    /// take about twice this size. No line is lost, and no process has to be restarted.
    ///
    /// If another program rotates the log, such as logrotate, set `None`: two programs that rotate the same file replace
    /// each other's older parts. The daemon then keeps the file that it has open, so let the other program truncate the
    /// log (`copytruncate`).
    ///
    /// The daemon looks at its log every 5 seconds, and up to once a second while the log grows fast. So the log can be
    /// larger by what is written in that time.
    ///
    /// Only the log of a launched daemon is rotated. The output of a daemon that was started by hand or by a service
    /// manager goes where its starter chose. [Where the files of a daemon are](crate::guide::files#the-log) has more
    /// about the log, and about the output of child processes.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// # const INDEXD: Daemon = Daemon::new("indexd");
    /// let indexd = INDEXD.instance().max_log_size(Some(64 * 1024 * 1024));
    /// // Another program rotates this one.
    /// let other = INDEXD.instance().log("/var/log/indexd.log").max_log_size(None);
    /// # drop((indexd, other));
    /// ```
    ///
    /// # Platform differences
    ///
    /// On Windows, the log is rotated only when a daemon is started. The same holds for a
    /// [hand-written backend](crate::BrokeredBackend) on each platform.
    ///
    /// # Panics
    ///
    /// Panics if the size is 0.
    #[must_use]
    pub fn max_log_size(mut self, bytes: Option<u64>) -> Self {
        assert!(bytes != Some(0), "the size of a log is at least one byte");
        self.launch.max_log_size = bytes;
        self
    }

    /// Sets what a client that starts the daemon waits for. The default is [`WaitFor::Bound`].
    #[must_use]
    pub fn wait(mut self, wait: WaitFor) -> Self {
        self.launch.wait = wait;
        self
    }

    /// Sets the time after which a call returns, counted from its beginning. It covers the whole call.
    ///
    /// The default is 15 seconds, which is longer than one daemon's drain and the next one's start-up together.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// # use std::time::Duration;
    /// # const INDEXD: Daemon = Daemon::new("indexd");
    /// let indexd = INDEXD.instance().deadline(Duration::from_secs(2));
    /// # drop(indexd);
    /// ```
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.launch.deadline = deadline;
        self
    }

    /// Sets the start limit: how often the daemon may be started within a time. The default is 5 starts in 30 seconds.
    ///
    /// A client that reaches the limit gets [`LaunchError::StartLimit`](crate::LaunchError::StartLimit) with the last
    /// failure, instead of starting a daemon that is in a crash loop.
    ///
    /// The starts of all clients of the instance are counted. A daemon that was asked to stop clears the count. So does
    /// a reboot.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// # use std::time::Duration;
    /// # const INDEXD: Daemon = Daemon::new("indexd");
    /// let indexd = INDEXD.instance().start_limit(3, Duration::from_secs(60));
    /// # drop(indexd);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `starts` is 0.
    #[must_use]
    pub fn start_limit(mut self, starts: u32, within: Duration) -> Self {
        assert!(starts > 0, "the start limit is at least one start");
        self.launch.start_limit = StartLimit { starts, within };
        self
    }

    /// The instance's files, computed at the first call.
    pub(crate) fn paths(&self) -> Result<&Paths, InstanceError> {
        if let Some(resolved) = self.resolved.get() {
            return Ok(&resolved.paths);
        }
        let resolved = self.resolve()?;
        Ok(&self.resolved.get_or_init(|| resolved).paths)
    }

    fn resolve(&self) -> Result<Resolved, InstanceError> {
        self.check_scope()?;
        let directory = self.directory.as_deref().map(canonical).transpose()?;
        let selector = match (&directory, &self.name) {
            (Some(directory), _) => Selector::Directory(directory),
            (None, Some(name)) => Selector::Name(name),
            (None, None) if self.daemon.is_per_directory() => {
                return Err(InstanceError::NoDirectory {
                    daemon: self.daemon.name(),
                });
            }
            (None, None) => Selector::User,
        };
        let paths = Paths::of(self.daemon, selector)?;
        Ok(Resolved { paths, directory })
    }

    /// Refuses a name or a directory that the daemon's scope does not allow.
    fn check_scope(&self) -> Result<(), InstanceError> {
        let daemon = self.daemon.name();
        match self.daemon.is_per_directory() {
            true if self.name.is_some() => Err(InstanceError::NotNamed { daemon }),
            false if self.directory.is_some() => Err(InstanceError::NotPerDirectory { daemon }),
            _ => Ok(()),
        }
    }
}

fn canonical(directory: &Path) -> Result<PathBuf, InstanceError> {
    let resolve = || {
        let canonical = platform::canonicalize(directory)?;
        // A path can be too long for this call. That is another error than that of a file.
        if std::fs::metadata(&canonical)?.is_dir() {
            Ok(canonical)
        } else {
            Err(std::io::ErrorKind::NotADirectory.into())
        }
    };
    resolve().map_err(|source| InstanceError::Directory {
        path: directory.to_owned(),
        source,
    })
}

impl Daemon {
    /// The default instance.
    ///
    /// A daemon that is [`per_directory`](Self::per_directory) has no default instance. Connecting to this one is
    /// [`InstanceError::NoDirectory`]; use [`at`](Self::at).
    #[must_use]
    pub fn instance(self) -> Instance {
        Instance::new(self, None, None)
    }

    /// The instance for a directory.
    ///
    /// All paths that lead to the same directory are the same instance. The directory is resolved when the instance
    /// first needs its paths; a directory that does not exist is an error then.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
    /// assert_eq!(INDEXD.at("src").endpoint()?, INDEXD.at("src/../src").endpoint()?);
    /// # Ok::<(), brokered_runtime::InstanceError>(())
    /// ```
    #[must_use]
    pub fn at(self, directory: impl AsRef<Path>) -> Instance {
        Instance::new(self, Some(directory.as_ref().to_owned()), None)
    }

    /// The instance of a name, for a daemon that does not have one instance for each directory.
    ///
    /// The name is any text. The empty text is the default instance.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd");
    /// assert_ne!(INDEXD.named("staging").endpoint()?, INDEXD.endpoint()?);
    /// # Ok::<(), brokered_runtime::InstanceError>(())
    /// ```
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Instance {
        Instance::new(
            self,
            None,
            Some(name.into()).filter(|name| !name.is_empty()),
        )
    }

    /// The endpoint of the default instance. See [`Instance::endpoint`].
    ///
    /// # Errors
    ///
    /// See [`Instance::endpoint`].
    pub fn endpoint(self) -> Result<PathBuf, InstanceError> {
        self.instance().endpoint()
    }
}

impl From<Daemon> for Instance {
    /// The default instance, as from [`Daemon::instance`].
    fn from(daemon: Daemon) -> Self {
        daemon.instance()
    }
}
