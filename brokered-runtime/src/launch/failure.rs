//! [`Failure`]: how the last daemon failed, for those who had queued for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::error::LaunchError;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, Phase, diagnostics};

/// How long a dying process may take between the end of its streams and that of its lock.
const DYING: Duration = Duration::from_millis(50);

/// How long those may share the lock who only look whether somebody holds it.
const LOOKING: Duration = Duration::from_millis(500);

/// How the last daemon of an instance failed. From [`Instance::last_failure`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    daemon: String,
    pid: u32,
    started: SystemTime,
    reason: Option<String>,
    exit: Option<String>,
    log: Option<PathBuf>,
}

impl Failure {
    /// Why, if the daemon has said so before it ended.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How it ended, in words, if the client that had started it saw that: `exit status: 70`,
    /// `signal: 9 (SIGKILL)`.
    #[must_use]
    pub fn exit(&self) -> Option<&str> {
        self.exit.as_deref()
    }

    /// Which process it was. It is gone, and the number may be another one's by now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it had started, by the clock of that moment.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Where its output is, if a client had started it.
    #[must_use]
    pub fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// The failure that the record tells of, if it does: of a daemon that has ended and not as it should.
    pub(super) fn last(instance: &Instance, paths: &Paths) -> Option<Self> {
        let record = Record::read(paths)?;
        let daemon = instance.daemon().name().to_owned();
        Some(Self {
            daemon,
            pid: record.pid,
            started: record.started,
            reason: record.failure,
            exit: record.exit,
            log: record.log,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ago = self.started.elapsed().unwrap_or(Duration::ZERO);
        write!(
            f,
            "{}, process {}, started {} ago, ",
            self.daemon,
            self.pid,
            diagnostics::format_duration(ago)
        )?;
        match (&self.exit, &self.reason) {
            (None, None) => write!(f, "ended without a word")?,
            (None, Some(reason)) => write!(f, "failed: {reason}")?,
            (Some(exit), None) => write!(f, "ended ({exit})")?,
            (Some(exit), Some(reason)) => write!(f, "failed ({exit}): {reason}")?,
        }
        match &self.log {
            Some(log) => write!(f, "; its output is in {}", log.display()),
            None => Ok(()),
        }
    }
}

impl Instance {
    /// How the last daemon failed, if the last one did and no other has come up since.
    ///
    /// For a client whose stream has ended before it was answered: it may have been in the queue of a
    /// daemon that died before it came to accept. The client that had started the daemon gets the error
    /// from [`connect_or_spawn`](Self::connect_or_spawn); all the others find the reason here.
    ///
    /// ```no_run
    /// # use std::io::Read;
    /// # const INDEXD: brokered_runtime::Daemon = brokered_runtime::Daemon::new("indexd");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let indexd = INDEXD.instance();
    /// let mut answer = String::new();
    /// indexd.connect_or_spawn()?.read_to_string(&mut answer)?;
    /// if answer.is_empty() && let Some(failure) = indexd.last_failure()? {
    ///     return Err(failure.to_string().into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Where a daemon lives, it takes a twentieth of a second to find that out.
    ///
    /// # Errors
    ///
    /// If the instance cannot be told, or its lock not be looked at.
    pub fn last_failure(&self) -> Result<Option<Failure>, LaunchError> {
        let paths = self.paths()?;
        let Some(record) = Record::read(paths) else {
            return Ok(None);
        };
        // A record that tells of no failure is a living daemon's, or was one's that is dead without a word.
        let is_told = record.phase == Phase::Failed || is_lock_released(paths)?;
        Ok(is_told.then(|| Failure::last(self, paths)).flatten())
    }
}

impl Daemon {
    /// How the default instance failed last. See [`Instance::last_failure`].
    ///
    /// # Errors
    ///
    /// See [`Instance::last_failure`].
    pub fn last_failure(self) -> Result<Option<Failure>, LaunchError> {
        self.instance().last_failure()
    }
}

/// Whether nobody holds the lock, or will in a moment: of a process that dies, the streams may end first.
fn is_lock_released(paths: &Paths) -> Result<bool, LaunchError> {
    let deadline = Instant::now() + DYING;
    loop {
        let is_held = InstanceLock::is_held(paths);
        if !is_held.map_err(LaunchError::io("look at the lock", paths.directory()))? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Takes the lock, unless somebody has it for themselves. Those who only look whether it is free share it, and will
/// have seen in a moment.
fn take_from_lookers(paths: &Paths) -> Option<InstanceLock> {
    let deadline = Instant::now() + LOOKING;
    loop {
        if let Some(lock) = InstanceLock::try_take(paths).ok()? {
            return Some(lock);
        }
        let is_held = InstanceLock::is_held(paths).unwrap_or(true);
        if is_held || Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_micros(100));
    }
}

/// Leaves word of how a daemon ended that this process had started, for those who had queued for it.
///
/// Written only with the lock held. If somebody else has it, they are starting the next daemon already.
pub(super) fn record_failure(
    instance: &Instance,
    paths: &Paths,
    pid: u32,
    status: Option<ExitStatus>,
    reason: Option<&str>,
    log: &Path,
) {
    let Some(lock) = take_from_lookers(paths) else {
        return;
    };
    let its_own = Record::read(paths).filter(|record| record.pid == pid);
    let mut record = its_own.unwrap_or_else(|| {
        let mut record = Record::of_this_process(instance, paths.socket.clone());
        record.pid = pid;
        record.owner = Owner::Launcher;
        record.log = Some(log.to_owned());
        record
    });
    record.phase = Phase::Failed;
    record.exit = status.map(|status| status.to_string());
    if record.failure.is_none() {
        record.failure = reason.map(str::to_owned);
    }
    // Whoever asks for it hears that there is none, then.
    let _ = record.write(paths);
    drop(lock);
}
