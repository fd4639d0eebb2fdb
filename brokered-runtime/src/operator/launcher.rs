//! [`Launcher`]: starts a daemon that this process knows only by its name and its executable.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::instance_directory::InstanceDirectory;
use super::record::DaemonRecord;
use crate::launch::observe::{self, ObservedLaunch};
pub use crate::launch::observe::{DaemonEvent, LaunchEvent};
use crate::{Daemon, Instance, InstanceError, IpcStream, LaunchError, WaitFor, identity, platform};

/// Starts a daemon from its identity, its executable and its arguments.
///
/// ```no_run
/// use std::time::Duration;
///
/// use brokered_runtime::operator::{Launcher, StartOutcome};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let launcher = Launcher::new("words", 1)?
///     .directory("/home/you/books")
///     .program("/usr/local/bin/words", []);
/// match launcher.start(Duration::from_secs(15))? {
///     StartOutcome::AlreadyRunning => println!("it is already running"),
///     _ => println!("it is bound"),
/// }
/// launcher.instance_directory()?.wait_ready(Duration::from_secs(15), |_| {})?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Launcher {
    daemon: Daemon,
    directory: Option<PathBuf>,
    instance: Option<String>,
    program: Option<(PathBuf, Vec<OsString>)>,
    log: Option<PathBuf>,
    /// The size beyond which the log is rotated, or 0 if it never is. `None` for the default of [`Instance`].
    max_log_size: Option<u64>,
}

/// The outcome of a start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartOutcome {
    /// The daemon was already running. Nothing was started.
    AlreadyRunning,
    /// The daemon was started. This connection to it was made while it started.
    ///
    /// `None` if the daemon binds its endpoint itself and [`Launcher::trace`] could not connect to it.
    Started(Option<IpcStream>),
}

impl Launcher {
    /// A launcher of the daemon with this name and this contract number.
    ///
    /// The process keeps each name until it ends, because the name of a [`Daemon`] is `'static`.
    ///
    /// # Errors
    ///
    /// If no daemon can have this name, or the contract number is 0.
    pub fn new(name: &str, contract: u32) -> Result<Self, IdentityError> {
        if !identity::is_daemon_name(name) {
            let name = name.to_owned();
            return Err(IdentityError::InvalidName { name });
        }
        if contract == 0 {
            let name = name.to_owned();
            return Err(IdentityError::ZeroContract { name });
        }
        Ok(Self {
            daemon: Daemon::new(interned(name)).contract(contract),
            directory: None,
            instance: None,
            program: None,
            log: None,
            max_log_size: None,
        })
    }

    /// A launcher of the instance that a record describes, with the executable, the arguments, the log and the size of
    /// the log that the record names.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn from_record(record: &DaemonRecord) -> Result<Self, IdentityError> {
        let mut launcher = Self::new(&record.name, record.contract)?;
        launcher.directory.clone_from(&record.directory);
        launcher.instance.clone_from(&record.instance);
        launcher.log.clone_from(&record.log);
        launcher.max_log_size = record.max_log_size;
        let program = record.program.clone();
        launcher.program = program.map(|program| (program, record.arguments.clone()));
        Ok(launcher)
    }

    /// The directory that the instance is for, of a daemon that has one instance for each directory.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The name of the instance, of a daemon that has named instances.
    pub fn instance(mut self, name: impl Into<String>) -> Self {
        self.instance = Some(name.into());
        self
    }

    /// The executable and its arguments.
    ///
    /// Without it, the launcher looks for an executable with the daemon's name in the directory of the executable
    /// of this process.
    pub fn program(
        mut self,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Self {
        self.program = Some((program.into(), arguments.into_iter().collect()));
        self
    }

    /// The file that receives the daemon's output. Without it, that is `log` in the instance directory.
    pub fn log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// The size in bytes beyond which the log is rotated, as for [`Instance::max_log_size`].
    ///
    /// # Panics
    ///
    /// Panics if the size is 0.
    pub fn max_log_size(mut self, bytes: Option<u64>) -> Self {
        assert!(bytes != Some(0), "the size of a log is at least one byte");
        self.max_log_size = Some(bytes.unwrap_or(0));
        self
    }

    /// The executable that [`start`](Self::start) runs, if it was named or is in the record.
    #[must_use]
    pub fn executable(&self) -> Option<&Path> {
        self.program.as_ref().map(|(program, _)| program.as_path())
    }

    /// The directory of the instance. It need not exist.
    ///
    /// # Errors
    ///
    /// If the environment names no usable runtime directory, or the directory that the instance is for cannot be
    /// read.
    pub fn instance_directory(&self) -> Result<InstanceDirectory, InstanceError> {
        let instance = self.to_instance();
        Ok(InstanceDirectory::from_paths(instance.paths()?.clone()))
    }

    /// Starts the daemon unless it is running, and waits until it is bound.
    ///
    /// # Errors
    ///
    /// As for [`Instance::connect_or_spawn`].
    pub fn start(&self, timeout: Duration) -> Result<StartOutcome, LaunchError> {
        let instance = self.to_instance().wait(WaitFor::Bound).deadline(timeout);
        let soon = Instant::now() + Duration::from_millis(100);
        if platform::connect(&instance.paths()?.socket, soon).is_ok() {
            // This also refuses the daemon of a foreign user.
            instance.connect()?;
            return Ok(StartOutcome::AlreadyRunning);
        }
        let stream = instance.connect_or_spawn()?;
        Ok(StartOutcome::Started(Some(stream)))
    }

    /// Starts the daemon unless it is running, and reports each step with its time until the daemon is ready.
    ///
    /// When `timeout` has passed, it returns without an error, and the start of the daemon continues.
    ///
    /// # Errors
    ///
    /// As for [`Instance::connect_or_spawn`].
    pub fn trace(
        &self,
        timeout: Duration,
        mut on_event: impl FnMut(LaunchEvent, SystemTime),
    ) -> Result<StartOutcome, LaunchError> {
        let instance = self.to_instance();
        Ok(match observe::launch(&instance, timeout, &mut on_event)? {
            ObservedLaunch::AlreadyRunning => StartOutcome::AlreadyRunning,
            ObservedLaunch::Up(stream) => StartOutcome::Started(stream),
        })
    }

    fn to_instance(&self) -> Instance {
        let mut instance = match (&self.directory, &self.instance) {
            (Some(directory), _) => self.daemon.per_directory().at(directory),
            (None, Some(name)) => self.daemon.named(name),
            (None, None) => self.daemon.instance(),
        };
        if let Some((program, arguments)) = &self.program {
            instance = instance.program(program).args(arguments);
        }
        if let Some(log) = &self.log {
            instance = instance.log(log);
        }
        if let Some(size) = self.max_log_size {
            instance = instance.max_log_size(Some(size).filter(|size| *size > 0));
        }
        instance
    }
}

/// A copy of the text that lives as long as the process. Equal texts share one copy.
fn interned(text: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return known;
    }
    let text: &'static str = text.to_owned().leak();
    names.insert(text);
    text
}

/// Why a name and a contract number are not the identity of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// No daemon can have this name. See [`is_daemon_name`](super::is_daemon_name).
    InvalidName {
        /// The name.
        name: String,
    },
    /// The contract number is 0. Contract numbers begin at 1.
    ZeroContract {
        /// The name of the daemon.
        name: String,
    },
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName { name } => write!(
                f,
                "{name:?} is not a valid daemon name: a name consists of a to z, 0 to 9 and '-', and neither \
                 begins nor ends with '-'"
            ),
            Self::ZeroContract { name } => write!(
                f,
                "contract number 0 of {name:?} is not valid: contract numbers begin at 1"
            ),
        }
    }
}

impl Error for IdentityError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_used_again_is_not_copied_again() {
        assert!(std::ptr::eq(interned("words"), interned("words")));
    }

    #[test]
    fn an_identity_that_no_daemon_can_have_is_refused() {
        assert!(Launcher::new("words", 1).is_ok());
        for (name, contract) in [("Words", 1), ("", 1), ("words", 0)] {
            assert!(Launcher::new(name, contract).is_err(), "{name} {contract}");
        }
    }
}
