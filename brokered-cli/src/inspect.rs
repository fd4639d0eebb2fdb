//! What there is to know of one instance: asked of the daemon, and where it does not answer, read.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

use brokered_runtime::operator::{DaemonRecord, InstanceDirectory, Lock, Recorded};
use brokered_runtime::{ControlError, LoadState, Phase, Status};
use serde_json::{Map, Value, json};

use crate::error::{NO_ANSWER, NOT_RUNNING};
use crate::output::style;

/// An instance, looked at.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) place: InstanceDirectory,
    /// Read when it is asked for: of a daemon that answers, little is.
    recorded: OnceCell<Recorded>,
    pub(crate) state: State,
}

/// How an instance was found.
#[derive(Debug)]
pub(crate) enum State {
    /// Its daemon answers.
    Answers(Box<Status>),
    /// Somebody holds its lock and does not answer, and why that is said.
    Silent(String),
    /// It is a hand-written backend, which has nothing that could answer.
    Unasked,
    /// Nobody holds its lock.
    Ended,
    /// It can't be looked at, and why.
    Hidden(String),
}

impl Inspected {
    /// Looks.
    pub(crate) fn of(place: InstanceDirectory, timeout: Duration) -> Self {
        let state = match place.status(timeout) {
            Ok(status) => State::Answers(Box::new(status)),
            Err(ControlError::NotRunning { .. }) => State::Ended,
            Err(ControlError::NoControl { .. }) => State::Unasked,
            Err(error) => match place.lock() {
                Ok(Lock::Free) => State::Ended,
                Ok(Lock::Held) => State::Silent(error.to_string()),
                Err(_) => State::Hidden(error.to_string()),
            },
        };
        Self {
            place,
            recorded: OnceCell::new(),
            state,
        }
    }

    pub(crate) fn recorded(&self) -> &Recorded {
        self.recorded.get_or_init(|| self.place.recorded())
    }

    pub(crate) fn record(&self) -> Option<&DaemonRecord> {
        self.recorded().record()
    }

    pub(crate) fn status(&self) -> Option<&Status> {
        match &self.state {
            State::Answers(status) => Some(status),
            _ => None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(
            self.state,
            State::Answers(_) | State::Silent(_) | State::Unasked
        )
    }

    /// Whether its daemon has failed, and nothing has come after that.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.state, State::Ended)
            && self
                .record()
                .is_some_and(|record| record.phase == Phase::Failed)
    }

    /// Its daemon's name, or its directory's, where nobody tells.
    pub(crate) fn name(&self) -> String {
        if let Some(status) = self.status() {
            return status.name.clone();
        }
        match self.record() {
            Some(record) => record.name.clone(),
            None => self.place.name(),
        }
    }

    pub(crate) fn contract(&self) -> Option<u32> {
        let status = self.status().map(|status| status.contract);
        status.or_else(|| self.record().map(|record| record.contract))
    }

    /// What it is for: a directory, or a name.
    pub(crate) fn instance(&self) -> Option<String> {
        let (directory, name) = if let Some(status) = self.status() {
            (&status.directory, &status.instance)
        } else {
            let record = self.record()?;
            (&record.directory, &record.instance)
        };
        directory
            .as_ref()
            .map(|directory| directory.display().to_string())
            .or_else(|| name.clone())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.state {
            State::Answers(status) => Some(status.pid),
            State::Silent(_) | State::Unasked => self.record().map(|record| record.pid),
            State::Ended | State::Hidden(_) => None,
        }
    }

    pub(crate) fn uptime(&self) -> Option<Duration> {
        match &self.state {
            State::Answers(status) => Some(status.uptime),
            State::Silent(_) | State::Unasked => self.record().map(DaemonRecord::age),
            State::Ended | State::Hidden(_) => None,
        }
    }

    pub(crate) fn log(&self) -> Option<PathBuf> {
        let told = self.status().and_then(|status| status.log.clone());
        told.or_else(|| self.record().and_then(|record| record.log.clone()))
    }

    /// The phase, or what there is instead of one.
    pub(crate) fn phase(&self) -> &'static str {
        match &self.state {
            State::Answers(status) => status.phase.as_str(),
            State::Silent(_) => "silent",
            State::Unasked => self
                .record()
                .map_or(Phase::Bound, |record| record.phase)
                .as_str(),
            State::Ended if self.has_failed() => Phase::Failed.as_str(),
            State::Ended => "ended",
            State::Hidden(_) => "hidden",
        }
    }

    pub(crate) fn style(&self) -> anstyle::Style {
        match self.phase() {
            "ready" => style::GOOD,
            "bound" | "loading" | "draining" => style::PENDING,
            "silent" | "hidden" | "failed" => style::BAD,
            _ => style::PAST,
        }
    }

    /// The exit code that says it.
    pub(crate) fn code(&self) -> u8 {
        match self.state {
            State::Answers(_) | State::Unasked => crate::error::DONE,
            State::Silent(_) | State::Hidden(_) => NO_ANSWER,
            State::Ended => NOT_RUNNING,
        }
    }

    /// What there is to say of it besides.
    pub(crate) fn remark(&self) -> Option<String> {
        match &self.state {
            State::Answers(status) => status.progress.clone().filter(|_| {
                // Of what has loaded, the last progress is no news.
                status.phase < Phase::Ready
            }),
            State::Silent(why) | State::Hidden(why) => Some(why.clone()),
            State::Unasked => {
                Some("a hand-written backend, which has no control endpoint".to_owned())
            }
            State::Ended => match self.recorded() {
                Recorded::Told(record) => Some(match &record.failure {
                    Some(why) => why.clone(),
                    None => format!(
                        "it ended without a word: killed, or the machine went down; its record says it \
                         was {}, as process {}",
                        record.phase, record.pid
                    ),
                }),
                Recorded::Unreadable(why) => Some(format!("its record tells nothing: {why}")),
                Recorded::Nothing => None,
            },
        }
    }

    /// All of it, for programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| {
            document.insert(key.to_owned(), value);
        };
        put("name", json!(self.name()));
        put("state", json!(self.state.as_str()));
        put("phase", json!(self.phase()));
        put("pid", json!(self.pid()));
        put("contract", json!(self.contract()));
        let record = self.record();
        let status = self.status();
        let directory = match (status, record) {
            (Some(status), _) => status.directory.as_deref(),
            (None, Some(record)) => record.directory.as_deref(),
            (None, None) => None,
        };
        let instance = match (status, record) {
            (Some(status), _) => status.instance.as_deref(),
            (None, Some(record)) => record.instance.as_deref(),
            (None, None) => None,
        };
        put(
            "directory",
            json!(directory.map(|path| path.to_string_lossy())),
        );
        put("instance", json!(instance));
        put(
            "uptime_seconds",
            json!(self.uptime().map(|up| up.as_secs_f64())),
        );
        put("endpoint", json!(self.place.endpoint().to_string_lossy()));
        put("control", json!(self.place.control().to_string_lossy()));
        put(
            "log",
            json!(self.log().map(|log| log.to_string_lossy().into_owned())),
        );
        put("remark", json!(self.remark()));
        if let Some(record) = record {
            put(
                "program",
                json!(record.program.as_ref().map(|path| path.to_string_lossy())),
            );
            let arguments = record.arguments.iter().map(|one| one.to_string_lossy());
            put("arguments", json!(arguments.collect::<Vec<_>>()));
            put("failure", json!(record.failure));
            put("recorded_pid", json!(record.pid));
            put("recorded_phase", json!(record.phase.as_str()));
        }
        if let Some(status) = status {
            put("owner", json!(status.owner));
            put("package", json!(status.package));
            put("version", json!(status.version));
            put("clients", json!(status.connections_open));
            put("served", json!(status.connections_served));
            put("errors", json!(status.errors));
            put("panics", json!(status.panics));
            put("last_error", json!(status.last_error));
            put("progress", json!(status.progress));
            put(
                "idle_exit_seconds",
                json!(status.idle_exit.map(|after| after.as_secs())),
            );
            put(
                "premain_seconds",
                json!(status.premain.map(|lived| lived.as_secs_f64())),
            );
            put("premain_threads", json!(status.premain_threads));
            put("loads", status.loads.iter().map(load_to_json).collect());
        }
        Value::Object(document)
    }
}

impl State {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Answers(_) => "running",
            Self::Silent(_) => "silent",
            Self::Unasked => "unasked",
            Self::Ended => "ended",
            Self::Hidden(_) => "hidden",
        }
    }
}

fn load_to_json(load: &brokered_runtime::Load) -> Value {
    let (state, took, why) = match &load.state {
        LoadState::Loaded { took } => ("loaded", Some(took), None),
        LoadState::Failed { took, reason } => ("failed", Some(took), Some(reason)),
        _ => ("loading", None, None),
    };
    json!({
        "name": load.name,
        "in_background": load.in_background,
        "state": state,
        "seconds": took.map(Duration::as_secs_f64),
        "failure": why,
    })
}
