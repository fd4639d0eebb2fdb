//! [`launch`]: starts the real daemon for a test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Error;
use super::scratch::Scratch;
use crate::control::stop;
use crate::deadline::Deadline;
use crate::identity::paths::{Paths, RUNTIME_DIRECTORY};
use crate::record::Record;
use crate::{ControlError, IpcStream, Phase, handoff, platform};

/// How long a daemon may take until it is bound, and a connection until it is made.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a daemon that was asked to stop may take before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Prepares to start the real daemon in its own runtime directory.
///
/// ```no_run
/// # const INDEXD_EXE: &str = "indexd";
/// use std::io::{Read, Write};
/// use brokered_runtime::testing;
///
/// # // In a test, with env!("CARGO_BIN_EXE_indexd"): #[test]
/// fn indexd_counts_files() -> Result<(), Box<dyn std::error::Error>> {
///     let indexd = testing::launch(INDEXD_EXE).directory(".").start()?;
///     let mut stream = indexd.connect()?;
///     stream.write_all(b"how many files?\n")?;
///     let mut reply = String::new();
///     stream.read_to_string(&mut reply)?;
///     assert_eq!(reply, "17\n");
///     Ok(())
/// }
/// ```
#[must_use = "the daemon starts only when `start` is called"]
pub fn launch(program: impl AsRef<OsStr>) -> LaunchBuilder {
    let mut command = Command::new(program);
    command
        .env(handoff::ROLE, "daemon")
        .env_remove(handoff::INSTANCE)
        .env_remove(handoff::LAUNCH)
        .stdin(Stdio::null());
    LaunchBuilder { command }
}

/// A daemon that is not yet started. Returned by [`launch`].
#[derive(Debug)]
#[must_use = "the daemon starts only when `start` is called"]
pub struct LaunchBuilder {
    command: Command,
}

impl LaunchBuilder {
    /// Adds an argument for the daemon.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets an environment variable for the daemon. It inherits the others from the test.
    pub fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Sets the directory of the instance. A daemon that is [`per_directory`](crate::Daemon::per_directory) needs one.
    pub fn directory(self, directory: impl AsRef<Path>) -> Self {
        self.env(handoff::INSTANCE, directory.as_ref())
    }

    /// Starts the daemon, and waits until it is bound and recorded.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be started, ends before it is bound, or is not bound within 30 seconds. The error has the
    /// daemon's output.
    pub fn start(mut self) -> Result<RunningDaemon, Error> {
        let scratch = Scratch::new()?;
        let program = self.command.get_program().to_string_lossy().into_owned();
        let log = scratch.path().join("log");
        let child = spawn(&mut self.command, &scratch, &log)
            .map_err(|error| Error::new(format!("start {program}"), error))?;
        let mut launched = RunningDaemon {
            child,
            program,
            paths: None,
            log,
            scratch,
        };
        launched.wait_until_bound()?;
        Ok(launched)
    }
}

fn spawn(command: &mut Command, scratch: &Scratch, log: &Path) -> io::Result<Child> {
    let log = File::create(log)?;
    platform::allow_stop_request(command);
    command
        .env(RUNTIME_DIRECTORY, scratch.runtime())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// A daemon that runs for a test. Returned by [`LaunchBuilder::start`].
///
/// Dropping this stops the daemon as [`stop`](Self::stop) does. If the test has failed, it also prints the daemon's
/// output.
#[derive(Debug)]
pub struct RunningDaemon {
    child: Child,
    program: String,
    paths: Option<Paths>,
    log: PathBuf,
    scratch: Scratch,
}

impl RunningDaemon {
    /// Connects to the daemon.
    ///
    /// # Errors
    ///
    /// If the daemon no longer listens, or if its backlog is full for 30 seconds.
    pub fn connect(&self) -> Result<IpcStream, Error> {
        let endpoint = self.endpoint();
        platform::connect(&endpoint, Instant::now() + START_TIMEOUT)
            .map_err(|error| Error::new(format!("connect to {}", endpoint.display()), error))
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> PathBuf {
        let paths = self.paths.as_ref();
        paths.map(|paths| paths.socket.clone()).unwrap_or_default()
    }

    /// The daemon's runtime directory. A client finds the daemon if `BROKERED_RUNTIME_DIR` is this directory in the
    /// client's environment.
    #[must_use]
    pub fn runtime_directory(&self) -> PathBuf {
        self.scratch.runtime()
    }

    /// The process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The phase in the daemon's record.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        Some(Record::read(self.paths.as_ref()?)?.phase)
    }

    /// The output of the daemon so far.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Asks the daemon to stop, and waits until it has ended. Kills it if it has not ended after five seconds.
    ///
    /// # Errors
    ///
    /// If the operating system cannot report the end of the process.
    pub fn stop(mut self) -> Result<ExitStatus, Error> {
        self.end()
            .map_err(|error| Error::new(format!("wait for {}", self.program), error))
    }

    fn wait_until_bound(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            self.paths = self.find_instance();
            if self.paths.is_some() {
                return Ok(());
            }
            let status = self.child.try_wait().ok().flatten();
            let reason = match status {
                Some(status) => format!("it has ended with {status}"),
                None if Instant::now() >= deadline => {
                    format!("it is not bound after {} s", START_TIMEOUT.as_secs())
                }
                None => {
                    thread::sleep(POLL_INTERVAL);
                    continue;
                }
            };
            let reason = format!("{reason}; its output is:\n{}", self.log());
            return Err(Error::new(format!("start {}", self.program), reason));
        }
    }

    /// The only instance in the runtime directory, once this process has recorded itself there.
    fn find_instance(&self) -> Option<Paths> {
        let entries = fs::read_dir(self.scratch.runtime()).ok()?;
        entries.flatten().find_map(|entry| {
            let paths = Paths::in_directory(entry.path());
            let record = Record::read(&paths)?;
            (record.pid == self.child.id() && record.phase != Phase::Failed).then_some(paths)
        })
    }

    /// Sends the signal that a terminal would send. If that fails, sends `stop` to the control endpoint.
    fn request_stop(&self) -> Result<(), ControlError> {
        match (platform::request_stop(&self.child), &self.paths) {
            (Err(_), Some(paths)) => stop::stop(paths, &Deadline::after(STOP_TIMEOUT)).map(drop),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        let requested = self.request_stop();
        while requested.is_ok() && Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(POLL_INTERVAL);
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for RunningDaemon {
    fn drop(&mut self) {
        let _ = self.end();
        if thread::panicking() {
            eprintln!("-- output of {}:\n{}--", self.program, self.log());
        }
    }
}
