//! Starting a daemon that is known by its name and its executable alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::directory::InstanceDirectory;
use super::record::DaemonRecord;
use crate::launch::observe::{self, ObservedLaunch};
pub use crate::launch::observe::{DaemonEvent, LaunchStep};
use crate::{Daemon, Instance, InstanceError, IpcStream, LaunchError, WaitFor, platform};

/// How to start a daemon, or where it would be.
#[derive(Debug, Clone)]
pub struct Launch {
    instance: Instance,
}

/// What came of a start.
#[derive(Debug)]
pub enum Started {
    /// It was running already.
    Already,
    /// It is up.
    Now(Option<IpcStream>),
}

impl Launch {
    /// The instance of a daemon, by what its `Daemon` says. `None` if that is no name, or no contract.
    #[must_use]
    pub fn new(
        name: &str,
        contract: u32,
        directory: Option<&Path>,
        instance: Option<&str>,
    ) -> Option<Self> {
        if !super::is_name(name) || contract == 0 {
            return None;
        }
        // A daemon's name is a constant everywhere else. This process starts one, and ends.
        let daemon = Daemon::new(String::leak(name.to_owned())).contract(contract);
        Some(Self {
            instance: match (directory, instance) {
                (Some(directory), _) => daemon.per_directory().at(directory),
                (None, Some(name)) => daemon.named(name),
                (None, None) => daemon.instance(),
            },
        })
    }

    /// The instance that a record tells of.
    #[must_use]
    pub fn of(record: &DaemonRecord) -> Option<Self> {
        Self::new(
            &record.name,
            record.contract,
            record.directory.as_deref(),
            record.instance.as_deref(),
        )
    }

    /// The instance's place.
    ///
    /// # Errors
    ///
    /// If the instance does not say where that is.
    pub fn place(&self) -> Result<InstanceDirectory, InstanceError> {
        Ok(InstanceDirectory::of(self.instance.paths()?.clone()))
    }

    /// What to start.
    #[must_use]
    pub fn program(mut self, program: &Path, arguments: &[OsString]) -> Self {
        self.instance = self.instance.program(program).args(arguments);
        self
    }

    /// Where its output goes, if not beside its endpoint.
    #[must_use]
    pub fn log(mut self, log: Option<PathBuf>) -> Self {
        if let Some(log) = log {
            self.instance = self.instance.log(log);
        }
        self
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_path(&self) -> Option<PathBuf> {
        self.instance.log_path().ok()
    }

    /// Starts it, unless it is running, and waits until it is bound.
    ///
    /// # Errors
    ///
    /// As for `Instance::connect_or_spawn`.
    pub fn start(&self, timeout: Duration) -> Result<Started, LaunchError> {
        let instance = self.instance.clone().wait(WaitFor::Bound).deadline(timeout);
        let soon = Instant::now() + Duration::from_millis(100);
        if platform::connect(&instance.paths()?.socket, soon).is_ok() {
            instance.connect()?;
            return Ok(Started::Already);
        }
        instance.connect_or_spawn().map(Some).map(Started::Now)
    }

    /// Starts it, and tells each step until it is ready.
    ///
    /// # Errors
    ///
    /// As for `Instance::connect_or_spawn`.
    pub fn trace(
        &self,
        timeout: Duration,
        on: &mut dyn FnMut(LaunchStep, SystemTime),
    ) -> Result<Started, LaunchError> {
        Ok(match observe::launch(&self.instance, timeout, on)? {
            ObservedLaunch::AlreadyRunning => Started::Already,
            ObservedLaunch::Up(stream) => Started::Now(stream),
        })
    }
}
