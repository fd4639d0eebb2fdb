//! [`Instance`]: a daemon, plus what is known only at run time.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::daemon::Daemon;
use super::error::InstanceError;
use super::paths::{Paths, Selector};
use crate::platform;

/// A [`Daemon`], plus what is known only at run time: which of its instances, and how to start it.
///
/// Made by [`Daemon::at`], [`Daemon::named`] and [`Daemon::instance`]. It works out its paths once, when
/// they are first needed, and keeps them: a program that connects often keeps the instance.
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
    pub(crate) launch: Launch,
    resolved: OnceLock<Resolved>,
}

/// How a client starts the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: Option<PathBuf>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) clear_environment: bool,
    /// In the order in which they were asked for; `None` removes.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) current_dir: Option<PathBuf>,
    pub(crate) log: Option<PathBuf>,
    pub(crate) wait: Wait,
    pub(crate) deadline: Duration,
    pub(crate) start_limit: StartLimit,
}

/// How often a daemon is started that does not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StartLimit {
    pub(crate) starts: u32,
    pub(crate) within: Duration,
}

impl Default for StartLimit {
    fn default() -> Self {
        Self {
            starts: 5,
            within: Duration::from_secs(30),
        }
    }
}

/// What [`connect_or_spawn`](Instance::connect_or_spawn) waits for when it has started the daemon.
///
/// Whatever it is, the connection is made at once and waits in the daemon's backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// The daemon has bound its endpoint and recorded itself: it will serve, once it has loaded.
    #[default]
    Bound,
    /// The daemon is ready: it has loaded its state and come to accept clients. Also where somebody else has
    /// started it, and it is not ready yet.
    Ready,
    /// Nothing. An error in the daemon's start then shows only as the end of the stream.
    Nothing,
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
            launch: Launch::default(),
            resolved: OnceLock::new(),
        }
    }

    /// The instance that a launcher has handed over, with the paths that it has worked out.
    pub(crate) fn handoff(
        daemon: Daemon,
        directory: Option<PathBuf>,
        name: Option<String>,
        paths: Paths,
    ) -> Self {
        let instance = Self::new(daemon, directory.clone(), name);
        let _ = instance.resolved.set(Resolved { paths, directory });
        instance
    }

    /// The same instance with other paths, for a test. Where there has to be a directory and none was given, it is
    /// made.
    #[cfg(feature = "testing")]
    pub(crate) fn with_paths(
        &self,
        paths: Paths,
        directory: impl FnOnce() -> std::io::Result<PathBuf>,
    ) -> Result<Self, InstanceError> {
        let daemon = self.daemon.name();
        let directory = match (&self.directory, &self.name) {
            (_, Some(_)) if self.daemon.is_per_directory() => {
                return Err(InstanceError::NotNamed { daemon });
            }
            (Some(_), _) if !self.daemon.is_per_directory() => {
                return Err(InstanceError::NotPerDirectory { daemon });
            }
            (Some(given), _) => Some(canonical(given)?),
            (None, _) if self.daemon.is_per_directory() => {
                let made = directory().map_err(|source| InstanceError::Directory {
                    path: paths.directory().to_owned(),
                    source,
                })?;
                Some(made)
            }
            (None, _) => None,
        };
        Ok(Self::handoff(
            self.daemon,
            directory,
            self.name.clone(),
            paths,
        ))
    }

    /// The daemon that this is an instance of.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.daemon
    }

    /// The directory that the instance is for, free of symbolic links once the instance was used.
    ///
    /// A daemon that is not one for each directory is for `/`, which is where a client starts it.
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

    /// Where the daemon listens: the path of a Unix socket, or the name of a Windows pipe.
    ///
    /// # Errors
    ///
    /// If the instance does not fit its daemon's scope, its directory cannot be reached, or the
    /// environment names no usable runtime directory.
    pub fn endpoint(&self) -> Result<PathBuf, InstanceError> {
        Ok(self.paths()?.socket.clone())
    }

    /// Where the output goes of a daemon that a client starts: what was given to [`log`](Self::log), or
    /// `log` beside the endpoint.
    ///
    /// # Errors
    ///
    /// As for [`endpoint`](Self::endpoint).
    pub fn log_path(&self) -> Result<PathBuf, InstanceError> {
        match &self.launch.log {
            Some(log) => Ok(log.clone()),
            None => Ok(self.paths()?.log()),
        }
    }

    /// The executable to start.
    ///
    /// Otherwise it is this very executable where the daemon is served from it
    /// (`#[brokered_daemon(.., cli = ..)]`), and else the one beside it that is called like the daemon.
    /// `PATH` is never searched.
    #[must_use]
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.launch.program = Some(program.as_ref().to_owned());
        self
    }

    /// One more argument for the daemon.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.launch.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments for the daemon.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(|one| one.as_ref().to_owned());
        self.launch.arguments.extend(arguments);
        self
    }

    /// A variable for the daemon's environment, which is else the client's, without what belongs to the
    /// client alone (make's job server, a service manager's sockets).
    #[must_use]
    pub fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let pair = (
            variable.as_ref().to_owned(),
            Some(value.as_ref().to_owned()),
        );
        self.launch.environment.push(pair);
        self
    }

    /// A variable that the daemon does not get.
    #[must_use]
    pub fn env_remove(mut self, variable: impl AsRef<OsStr>) -> Self {
        let pair = (variable.as_ref().to_owned(), None);
        self.launch.environment.push(pair);
        self
    }

    /// The daemon gets only what [`env`](Self::env) gives after this.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.launch.clear_environment = true;
        self.launch.environment.clear();
        self
    }

    /// The daemon's working directory. Otherwise it is the instance's, or `/`.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.launch.current_dir = Some(directory.as_ref().to_owned());
        self
    }

    /// Where the daemon's output goes. Otherwise it is `log` beside its endpoint.
    #[must_use]
    pub fn log(mut self, file: impl AsRef<Path>) -> Self {
        self.launch.log = Some(file.as_ref().to_owned());
        self
    }

    /// What to wait for when the daemon had to be started.
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        self.launch.wait = wait;
        self
    }

    /// How long a whole call may take. Otherwise it is 15 seconds, which is longer than one daemon's
    /// draining and the next one's start.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.launch.deadline = deadline;
        self
    }

    /// How often the daemon is started within some time before it has to have stayed: 5 times in 30 seconds
    /// otherwise. Beyond that a client gets [`LaunchError::StartLimit`](crate::LaunchError::StartLimit), with
    /// the last failure, instead of one more process that dies.
    ///
    /// Starts are counted over all clients of the instance. A daemon that ends because it was asked to clears
    /// the count; a restart of the machine does, too.
    ///
    /// # Panics
    ///
    /// If `starts` is 0.
    #[must_use]
    pub fn start_limit(mut self, starts: u32, within: Duration) -> Self {
        assert!(starts > 0, "a daemon that may not be started serves nobody");
        self.launch.start_limit = StartLimit { starts, within };
        self
    }

    /// The instance's files, worked out at the first call.
    pub(crate) fn paths(&self) -> Result<&Paths, InstanceError> {
        if let Some(resolved) = self.resolved.get() {
            return Ok(&resolved.paths);
        }
        let resolved = self.resolve()?;
        Ok(&self.resolved.get_or_init(|| resolved).paths)
    }

    fn resolve(&self) -> Result<Resolved, InstanceError> {
        let daemon = self.daemon.name();
        match (&self.directory, &self.name) {
            (None, None) if self.daemon.is_per_directory() => {
                Err(InstanceError::NoDirectory { daemon })
            }
            (_, Some(_)) if self.daemon.is_per_directory() => {
                Err(InstanceError::NotNamed { daemon })
            }
            (Some(_), _) if !self.daemon.is_per_directory() => {
                Err(InstanceError::NotPerDirectory { daemon })
            }
            (Some(given), _) => {
                let directory = canonical(given)?;
                let paths = Paths::of(self.daemon, Selector::Directory(&directory))?;
                let directory = Some(directory);
                Ok(Resolved { paths, directory })
            }
            (None, name) => {
                let selector = name.as_deref().map_or(Selector::User, Selector::Name);
                let paths = Paths::of(self.daemon, selector)?;
                let directory = None;
                Ok(Resolved { paths, directory })
            }
        }
    }
}

fn canonical(directory: &Path) -> Result<PathBuf, InstanceError> {
    let reach = || {
        let canonical = platform::canonicalize(directory)?;
        if canonical.is_dir() {
            Ok(canonical)
        } else {
            Err(std::io::ErrorKind::NotADirectory.into())
        }
    };
    reach().map_err(|source| InstanceError::Directory {
        path: directory.to_owned(),
        source,
    })
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            program: None,
            arguments: Vec::new(),
            clear_environment: false,
            environment: Vec::new(),
            current_dir: None,
            log: None,
            wait: Wait::default(),
            deadline: Duration::from_secs(15),
            start_limit: StartLimit::default(),
        }
    }
}

/// The daemon that this executable serves when it is started as one, although this process was not.
static SERVED_HERE: OnceLock<Daemon> = OnceLock::new();

/// Notes that this executable is also the daemon.
pub(crate) fn serve_from_here(daemon: Daemon) {
    let _ = SERVED_HERE.set(daemon);
}

/// Whether this executable is also this daemon.
pub(crate) fn is_served_here(daemon: Daemon) -> bool {
    SERVED_HERE.get() == Some(&daemon)
}
