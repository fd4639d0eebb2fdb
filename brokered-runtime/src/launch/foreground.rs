//! [`Instance::exec`]: become the daemon, in the foreground.

use std::path::Path;

use super::error::LaunchError;
use super::program;
use crate::identity::paths::{self, RUNTIME_DIRECTORY};
use crate::{Daemon, Instance, Never, handoff, platform};

impl Instance {
    /// Becomes the daemon, in the foreground: this process is replaced by it, and its output stays where
    /// this process's is. For a command line's `daemon` subcommand and for service managers.
    ///
    /// The executable, the arguments and the environment are those that a launch would use; the working
    /// directory stays, unless [`current_dir`](Self::current_dir) says otherwise.
    ///
    /// # Errors
    ///
    /// If there is no such executable, or it cannot be started. Returning means that it failed. That
    /// another process is the daemon already is for the daemon to say, with exit code 69.
    pub fn exec(&self) -> Result<Never, LaunchError> {
        self.paths()?;
        let mut command = program::command(self)?;
        command
            .env_remove(handoff::LAUNCH)
            .env(handoff::ROLE, "daemon")
            .env(RUNTIME_DIRECTORY, paths::runtime_directory()?);
        if self.daemon().is_per_directory() {
            command.env(handoff::INSTANCE, self.directory());
        } else if let Some(name) = self.name() {
            command.env(handoff::INSTANCE, name);
        }
        if let Some(directory) = &self.launch.current_dir {
            command.current_dir(directory);
        }
        let error = platform::exec(&mut command);
        let directory = command.get_current_dir().unwrap_or(Path::new("."));
        Err(program::not_started(
            self,
            command.get_program(),
            directory,
            error,
        ))
    }
}

impl Daemon {
    /// Becomes the default instance. See [`Instance::exec`].
    ///
    /// # Errors
    ///
    /// See [`Instance::exec`].
    pub fn exec(self) -> Result<Never, LaunchError> {
        self.instance().exec()
    }
}
