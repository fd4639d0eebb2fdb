//! Ending a daemon that does not answer: its process, and nobody else's.

use std::error::Error;
use std::fmt;
use std::fs::TryLockError;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::place::{Lock, Place};
use super::story::Story;
use crate::Phase;
use crate::platform::{self, Process};

/// How far the clock that a record was written by may have been set since.
const SLACK: Duration = Duration::from_millis(500);

/// What came of ending a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has ended.
    Yes,
    /// It was asked, and had not ended at the deadline.
    NotYet,
}

/// Why nothing was sent to a process.
#[derive(Debug)]
pub enum EndError {
    /// Nobody holds the lock: what is recorded is history.
    History,
    /// The process of that number was started after the record was written.
    SomebodyElse(u32),
    /// Another process listens on the endpoint than the one that is recorded.
    NotTheListener {
        /// The process in the record.
        recorded: u32,
        /// The process that listens.
        listening: u32,
    },
    /// The process of that number has ended, and somebody holds the lock: a child of its, or a launcher.
    HeldByAnother(u32),
    /// The system refused.
    Io {
        /// The process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History => {
                f.write_str("its lock is free: it has ended, and what is recorded is history")
            }
            Self::SomebodyElse(pid) => write!(
                f,
                "process {pid}, which its record names, was started after the record was written: it is \
                 somebody else, and nothing was sent to it"
            ),
            Self::NotTheListener {
                recorded,
                listening,
            } => write!(
                f,
                "its record names process {recorded}, and process {listening} listens: nothing was sent to \
                 either; look what they are with `ps -fp {recorded},{listening}`"
            ),
            Self::HeldByAnother(pid) => write!(
                f,
                "process {pid}, which its record names, has ended, and yet somebody holds the lock: a process \
                 that it has forked, or a client that is just starting the next one; `brokered doctor` names \
                 who it can"
            ),
            Self::Io { pid, source } => write!(f, "process {pid} cannot be asked to end: {source}"),
        }
    }
}

impl Error for EndError {}

impl Place {
    /// Waits until a process has ended, or, where that cannot be seen, the lock is free.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn wait_for_end(&self, process: Option<&Target>, deadline: Instant) -> io::Result<Ended> {
        if let Some(Target(process)) = process {
            return Ok(match process.has_ended(deadline)? {
                true => Ended::Yes,
                false => Ended::NotYet,
            });
        }
        loop {
            match self.lock() {
                Ok(Lock::Free) => return Ok(Ended::Yes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ended::Yes),
                Err(error) => return Err(error),
                Ok(Lock::Held) if Instant::now() >= deadline => return Ok(Ended::NotYet),
                Ok(Lock::Held) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Sends `SIGTERM` to the daemon that the record tells of, once it is sure that the process is that one:
    /// somebody holds the lock, it was started before the record was written, and if anybody listens, it is it.
    ///
    /// A second signal would cut a drain short, so only one of several callers sends one, and none to a daemon
    /// that is draining.
    ///
    /// # Errors
    ///
    /// If it is not sure, or the system refuses.
    pub fn terminate(&self, story: &Story) -> Result<Target, EndError> {
        let pid = story.pid;
        let refused = |source| EndError::Io { pid, source };
        if self.lock().map_err(refused)? == Lock::Free {
            return Err(EndError::History);
        }
        let process = match Process::open(pid) {
            Ok(process) => process,
            Err(error) if is_gone(&error) => return Err(EndError::HeldByAnother(pid)),
            Err(error) => return Err(refused(error)),
        };
        let Some(age) = process.age().map_err(refused)? else {
            return Err(EndError::HeldByAnother(pid));
        };
        if age + SLACK < story.age() {
            return Err(EndError::SomebodyElse(pid));
        }
        if let Some(listening) = self.listening_process()
            && listening != pid
        {
            return Err(EndError::NotTheListener {
                recorded: pid,
                listening,
            });
        }
        // Whoever holds this lock signals; the others wait with it.
        let turn = platform::open_regular(&self.record_path()).map_err(refused)?;
        match turn.try_lock() {
            Ok(()) if story.phase < Phase::Draining => process.ask_to_end().map_err(refused)?,
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        // Kept until this process ends, which is when it has seen the daemon end, or has given up.
        std::mem::forget(turn);
        Ok(Target(process))
    }

    /// The process that listens on the endpoint, or on the control endpoint, as the kernel noted it.
    #[must_use]
    pub fn listening_process(&self) -> Option<u32> {
        let soon = || Instant::now() + Duration::from_millis(100);
        [self.control(), self.endpoint()]
            .iter()
            .find_map(|path: &PathBuf| platform::connect(path, soon()).ok())
            .and_then(|stream| platform::listening_process(&stream))
    }
}

/// A process that was found to be the daemon, by a handle that stays that process's.
#[derive(Debug)]
pub struct Target(Process);

impl Target {
    /// The process that has this number now. `None` where there is none, or the system has no such handles.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Process::open(pid).ok().map(Self)
    }

    /// How long ago it was started.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.0.age().ok().flatten()
    }
}

fn is_gone(error: &io::Error) -> bool {
    // `ESRCH` has no kind of its own.
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}
