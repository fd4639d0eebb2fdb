//! [`Failure`]: the recorded reason why a daemon ended.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::record::Record;
use crate::{Instance, diagnostics};

/// How the last daemon of an instance failed.
///
/// It is returned by [`Instance::last_failure`](crate::Instance::last_failure), and is part of [`LaunchError::StartLimit`](crate::LaunchError::StartLimit).
///
/// Its `Display` text has all of this in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    daemon: String,
    pid: u32,
    started: SystemTime,
    reason: Option<String>,
    exit_status: Option<String>,
    log: Option<PathBuf>,
}

impl Failure {
    /// The reason that the daemon has reported. `None` if it ended without a report, for example by a signal.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The exit status as text, such as `exit status: 70` or `signal: 9 (SIGKILL)`. `None` unless the launcher was
    /// still waiting for the start-up when the daemon ended.
    #[must_use]
    pub fn exit_status(&self) -> Option<&str> {
        self.exit_status.as_deref()
    }

    /// The process ID that the daemon had. Another process may have this ID by now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When the daemon started, by the system clock of that moment.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// The daemon's log. `None` if no launcher has started it.
    #[must_use]
    pub fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// The failure that a record holds. The caller knows that its process has ended.
    pub(super) fn from_record(instance: &Instance, record: Record) -> Self {
        Self {
            daemon: instance.daemon().name().to_owned(),
            pid: record.pid,
            started: record.started,
            reason: record.failure,
            exit_status: record.exit,
            log: record.log,
        }
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
        match (&self.exit_status, &self.reason) {
            (None, None) => write!(f, "ended without reporting a reason")?,
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
