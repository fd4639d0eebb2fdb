//! [`Instance::exec`]: become the daemon, in the foreground.

use std::path::Path;

use super::error::LaunchError;
use super::program;
use crate::identity::paths::{self, RUNTIME_DIRECTORY};
use crate::{Daemon, Instance, Never, handoff, platform};

impl Instance {
    /// Becomes the daemon, in the foreground. For a `daemon` subcommand and for service managers.
    ///
    /// The executable, the arguments and the environment are those of a launch. Standard output and standard error
    /// stay as they are. So does the working directory, unless [`current_dir`](Self::current_dir) sets another one.
    ///
    /// ```no_run
    /// use brokered_runtime::{Daemon, LaunchError, Never};
    ///
    /// const INDEXD: Daemon = Daemon::new("indexd");
    ///
    /// /// `index daemon`: runs the daemon in the foreground.
    /// fn run_in_foreground() -> Result<Never, LaunchError> {
    ///     INDEXD.instance().exec()
    /// }
    /// # run_in_foreground().unwrap();
    /// ```
    ///
    /// # Platform differences
    ///
    /// On Unix, the daemon replaces this process. On Windows, it is a child process: this process waits for it and
    /// exits with its exit code.
    ///
    /// # Errors
    ///
    /// [`LaunchError::ProgramMissing`], [`LaunchError::ProgramNotExecutable`] or [`LaunchError::WorkingDirectory`].
    /// The call returns only on an error. If another daemon is bound already, the new one reports that, with exit
    /// code 69.
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
        Err(program::start_error(
            self,
            command.get_program(),
            directory,
            error,
        ))
    }
}

impl Daemon {
    /// Becomes the daemon of the default instance. See [`Instance::exec`].
    ///
    /// # Errors
    ///
    /// See [`Instance::exec`].
    pub fn exec(self) -> Result<Never, LaunchError> {
        self.instance().exec()
    }
}
