//! [`launch`]: the real daemon, in a place of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Error;
use super::scratch::Scratch;
use crate::control::client;
use crate::deadline::Deadline;
use crate::identity::paths::{Paths, RUNTIME_DIRECTORY};
use crate::record::Record;
use crate::{ControlError, IpcStream, Phase, handoff, platform};

/// How long a daemon may take to be bound.
const START: Duration = Duration::from_secs(30);

/// How long it may take to end before it is killed.
const END: Duration = Duration::from_secs(5);

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(1);

/// The real daemon, in a runtime directory of its own: `testing::launch(env!("CARGO_BIN_EXE_indexd")).start()`.
///
/// ```no_run
/// # const INDEXD_EXE: &str = "indexd";
/// use std::io::{Read, Write};
/// use brokered_runtime::testing;
///
/// # // In a test, with env!("CARGO_BIN_EXE_indexd"): #[test]
/// fn it_counts() -> Result<(), Box<dyn std::error::Error>> {
///     let indexd = testing::launch(INDEXD_EXE).directory(".").start()?;
///     let mut stream = indexd.connect()?;
///     stream.write_all(b"how many files?\n")?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer)?;
///     assert_eq!(answer, "17\n");
///     Ok(())
/// }
/// ```
#[must_use = "nothing is started before `start`"]
pub fn launch(program: impl AsRef<OsStr>) -> Launch {
    let mut command = Command::new(program);
    command
        .env(handoff::ROLE, "daemon")
        .env_remove(handoff::INSTANCE)
        .env_remove(handoff::LAUNCH)
        .stdin(Stdio::null());
    Launch { command }
}

/// A daemon that is about to be started. From [`launch`].
#[derive(Debug)]
#[must_use = "nothing is started before `start`"]
pub struct Launch {
    command: Command,
}

impl Launch {
    /// One more argument for the daemon.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// A variable for the daemon's environment, which is else the test's.
    pub fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// The directory that the instance is for. A daemon that is
    /// [`per_directory`](crate::Daemon::per_directory) needs one.
    pub fn directory(self, directory: impl AsRef<Path>) -> Self {
        self.env(handoff::INSTANCE, directory.as_ref())
    }

    /// Starts it, and waits until it is bound and recorded.
    ///
    /// # Errors
    ///
    /// If it cannot be started, ends before it is bound, or is not bound within half a minute. What it has said is
    /// part of the error.
    pub fn start(mut self) -> Result<Launched, Error> {
        let scratch = Scratch::new()?;
        let program = self.command.get_program().to_string_lossy().into_owned();
        let log = scratch.path().join("log");
        let child = spawn(&mut self.command, &scratch, &log)
            .map_err(|error| Error::new(format!("start {program}"), error))?;
        let mut launched = Launched {
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

/// A daemon that runs for a test. From [`Launch::start`].
///
/// When it is dropped it is asked to end, and killed if it has not ended five seconds later. If the test has failed, its
/// output is printed.
#[derive(Debug)]
pub struct Launched {
    child: Child,
    program: String,
    paths: Option<Paths>,
    log: PathBuf,
    scratch: Scratch,
}

impl Launched {
    /// Connects to it.
    ///
    /// # Errors
    ///
    /// If it no longer listens.
    pub fn connect(&self) -> Result<IpcStream, Error> {
        let endpoint = self.endpoint();
        platform::connect(&endpoint, Instant::now() + START)
            .map_err(|error| Error::new(format!("connect to {}", endpoint.display()), error))
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> PathBuf {
        let paths = self.paths.as_ref();
        paths.map(|paths| paths.socket.clone()).unwrap_or_default()
    }

    /// The runtime directory that it has to itself, for clients that are to find it: as `BROKERED_RUNTIME_DIR` in
    /// their environment.
    #[must_use]
    pub fn runtime_directory(&self) -> PathBuf {
        self.scratch.runtime()
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How far it has come, as its record tells.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        Some(Record::read(self.paths.as_ref()?)?.phase)
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Asks it to end, and waits for that. One that has not ended five seconds later is killed.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for.
    pub fn stop(mut self) -> Result<ExitStatus, Error> {
        self.end()
            .map_err(|error| Error::new(format!("wait for {}", self.program), error))
    }

    fn wait_until_bound(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        loop {
            self.paths = self.find();
            if self.paths.is_some() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            let why = match ended {
                Some(status) => format!("it has ended with {status}"),
                None if Instant::now() >= deadline => {
                    format!("it is not bound after {} s", START.as_secs())
                }
                None => {
                    thread::sleep(PAUSE);
                    continue;
                }
            };
            let why = format!("{why}; it has said:\n{}", self.log());
            return Err(Error::new(format!("start {}", self.program), why));
        }
    }

    /// The one instance in the runtime directory, once this very process has recorded itself there.
    fn find(&self) -> Option<Paths> {
        let entries = fs::read_dir(self.scratch.runtime()).ok()?;
        entries.flatten().find_map(|entry| {
            let paths = Paths::handoff(entry.path());
            let record = Record::read(&paths)?;
            (record.pid == self.child.id() && record.phase != Phase::Failed).then_some(paths)
        })
    }

    /// As a terminal would. Where there is none, over its control endpoint.
    fn request_stop(&self) -> Result<(), ControlError> {
        match (platform::request_stop(&self.child), &self.paths) {
            (Err(_), Some(paths)) => client::stop(paths, &Deadline::after(END)).map(drop),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let deadline = Instant::now() + END;
        let asked = self.request_stop();
        while asked.is_ok() && Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(PAUSE);
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        let _ = self.end();
        if thread::panicking() {
            eprintln!("-- what {} has said:\n{}--", self.program, self.log());
        }
    }
}
