//! [`Inspection`]: the answer of a daemon or, if it does not answer, its record.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brokered_runtime::operator::{DaemonRecord, InstanceDirectory, LockState, RecordState};
use brokered_runtime::{ControlError, Phase, Status};

use crate::error::{NO_ANSWER, NOT_RUNNING, SUCCESS};
use crate::style;

/// An instance and the state of its daemon.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) instance: InstanceDirectory,
    /// Read when it is first needed: the status of a running daemon says almost all.
    record: OnceCell<RecordState>,
    pub(crate) state: State,
}

/// The state of a daemon.
#[derive(Debug)]
pub(crate) enum State {
    /// The daemon answers.
    Running(Box<Status>),
    /// A process holds the instance lock and does not answer, with the error.
    Unresponsive(String),
    /// A hand-written backend runs, which has no control endpoint.
    NoControl,
    /// No process holds the instance lock.
    Ended,
    /// The instance cannot be inspected, with the error.
    Inaccessible(String),
}

impl Inspection {
    /// Asks the daemon for its status, and waits `timeout` for the answer.
    pub(crate) fn new(instance: InstanceDirectory, timeout: Duration) -> Self {
        let state = match instance.status(timeout) {
            Ok(status) => State::Running(Box::new(status)),
            Err(ControlError::NotRunning { .. }) => State::Ended,
            Err(ControlError::NoControl { .. }) => State::NoControl,
            Err(error) => match instance.lock_state() {
                Ok(LockState::Free) => State::Ended,
                Ok(LockState::Held) => State::Unresponsive(error.to_string()),
                Err(_) => State::Inaccessible(error.to_string()),
            },
        };
        Self {
            instance,
            record: OnceCell::new(),
            state,
        }
    }

    pub(crate) fn record_state(&self) -> &RecordState {
        self.record.get_or_init(|| self.instance.read_record())
    }

    pub(crate) fn record(&self) -> Option<&DaemonRecord> {
        self.record_state().record()
    }

    pub(crate) fn status(&self) -> Option<&Status> {
        match &self.state {
            State::Running(status) => Some(status),
            _ => None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(
            self.state,
            State::Running(_) | State::Unresponsive(_) | State::NoControl
        )
    }

    /// Whether the last daemon ended with a failure.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.state, State::Ended)
            && self
                .record()
                .is_some_and(|record| record.phase == Phase::Failed)
    }

    /// The daemon's name or, if it is not known, the name of the instance directory.
    pub(crate) fn name(&self) -> String {
        if let Some(status) = self.status() {
            return status.name.clone();
        }
        match self.record() {
            Some(record) => record.name.clone(),
            None => self.instance.name(),
        }
    }

    /// The name, with the contract number unless that is 1.
    pub(crate) fn name_and_contract(&self) -> String {
        match self.contract() {
            Some(contract) if contract != 1 => format!("{}.{contract}", self.name()),
            _ => self.name(),
        }
    }

    pub(crate) fn contract(&self) -> Option<u32> {
        let status = self.status().map(|status| status.contract);
        status.or_else(|| self.record().map(|record| record.contract))
    }

    /// The directory that the instance is for.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self.status() {
            Some(status) => status.directory.as_deref(),
            None => self.record()?.directory.as_deref(),
        }
    }

    /// The name of the instance.
    pub(crate) fn instance_name(&self) -> Option<&str> {
        match self.status() {
            Some(status) => status.instance.as_deref(),
            None => self.record()?.instance.as_deref(),
        }
    }

    /// What distinguishes the instance from others of the daemon: its directory or its name.
    pub(crate) fn label(&self) -> Option<String> {
        match self.directory() {
            Some(directory) => Some(directory.display().to_string()),
            None => self.instance_name().map(str::to_owned),
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.state {
            State::Running(status) => Some(status.pid),
            State::Unresponsive(_) | State::NoControl => self.record().map(|record| record.pid),
            State::Ended | State::Inaccessible(_) => None,
        }
    }

    pub(crate) fn uptime(&self) -> Option<Duration> {
        match &self.state {
            State::Running(status) => Some(status.uptime),
            State::Unresponsive(_) | State::NoControl => self.record().map(DaemonRecord::age),
            State::Ended | State::Inaccessible(_) => None,
        }
    }

    pub(crate) fn log(&self) -> Option<PathBuf> {
        let log = self.status().and_then(|status| status.log.clone());
        log.or_else(|| self.record()?.log.clone())
    }

    /// The phase. For a daemon that cannot be asked, a word in its place.
    pub(crate) fn phase(&self) -> &'static str {
        match &self.state {
            State::Running(status) => status.phase.as_str(),
            State::Unresponsive(_) => "silent",
            State::NoControl => self
                .record()
                .map_or(Phase::Bound, |record| record.phase)
                .as_str(),
            State::Ended if self.has_failed() => Phase::Failed.as_str(),
            State::Ended => "ended",
            State::Inaccessible(_) => "hidden",
        }
    }

    pub(crate) fn style(&self) -> anstyle::Style {
        match self.phase() {
            "ready" => style::OK,
            "bound" | "loading" | "draining" => style::WARNING,
            "silent" | "hidden" | "failed" => style::ERROR,
            _ => style::DIMMED,
        }
    }

    /// The exit code of `status` and `probe`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.state {
            State::Running(_) | State::NoControl => SUCCESS,
            State::Unresponsive(_) | State::Inaccessible(_) => NO_ANSWER,
            State::Ended => NOT_RUNNING,
        }
    }

    /// A sentence on the progress, the error or the end of the daemon.
    pub(crate) fn remark(&self) -> Option<String> {
        match &self.state {
            State::Running(status) => {
                let is_loading = status.phase < Phase::Ready;
                status.progress.clone().filter(|_| is_loading)
            }
            State::Unresponsive(error) | State::Inaccessible(error) => Some(error.clone()),
            State::NoControl => {
                Some("a hand-written backend, which has no control endpoint".to_owned())
            }
            State::Ended => match self.record_state() {
                RecordState::Valid(record) => Some(match &record.failure {
                    Some(failure) => failure.clone(),
                    None => format!(
                        "it ended without a clean exit: it was killed, or the machine went down; \
                         the stale record says {}, process {}",
                        record.phase, record.pid
                    ),
                }),
                RecordState::Invalid(reason) => {
                    Some(format!("its record cannot be used: {reason}"))
                }
                RecordState::Missing => None,
            },
        }
    }
}
