//! [`Status`]: what a daemon says of itself.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::Phase;
use crate::fields::{Fields, Lines, from_unix_time, unix_time};

/// The most loads and milestones that are read from a reply.
const MOST: usize = 1024;

/// What a daemon says of itself. From [`Instance::status`](crate::Instance::status).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The daemon's name.
    pub name: String,
    /// Its contract number.
    pub contract: u32,
    /// The directory that it is for, if it is one daemon for each directory.
    pub directory: Option<PathBuf>,
    /// The name of the instance, if it has one.
    pub instance: Option<String>,
    /// Where it listens.
    pub endpoint: PathBuf,
    /// Its process.
    pub pid: u32,
    /// How far it has come.
    pub phase: Phase,
    /// Who has started it: `launcher`, `hand`, `systemd`, `launchd`.
    pub owner: String,
    /// The package that it was built from.
    pub package: Option<String>,
    /// The version of the package.
    pub version: Option<String>,
    /// Where its output goes, if a client has started it.
    pub log: Option<PathBuf>,
    /// When it was recorded.
    pub started: SystemTime,
    /// How long ago that is, by a clock that nobody sets.
    pub uptime: Duration,
    /// How many connections are being served.
    pub connections_open: u64,
    /// How many connections have been served, those that failed included.
    pub connections_served: u64,
    /// How many handlers have panicked.
    pub panics: u64,
    /// How many handlers have returned an error that is more than a client's hanging up.
    pub errors: u64,
    /// After how long without a connection it ends.
    pub idle_exit: Option<Duration>,
    /// What it said of its progress last.
    pub progress: Option<String>,
    /// The states that it loads, in the order in which their loads began.
    pub loads: Vec<Load>,
    /// What went wrong last: a handler's error or panic.
    pub last_error: Option<String>,
    /// How long the process had lived when its `main` was entered, if that was measured.
    pub premain: Option<Duration>,
    /// How many threads it had then.
    pub premain_threads: Option<u32>,
    /// When it came past what.
    pub milestones: Vec<Milestone>,
}

/// One state's load.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// The state's type.
    pub name: String,
    /// Whether it loads while clients are served.
    pub in_background: bool,
    /// When it began.
    pub began: SystemTime,
    /// How it stands.
    pub state: LoadState,
}

/// How a load stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadState {
    /// It loads.
    Loading,
    /// It has loaded.
    Loaded {
        /// How long it took.
        took: Duration,
    },
    /// It could not load.
    Failed {
        /// How long it took to find out.
        took: Duration,
        /// Why.
        why: String,
    },
}

/// Something that a daemon came past.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Milestone {
    /// What: `main`, `bound`, `recorded`, `control`, `ready`, `served` (the first client), `draining`.
    pub name: String,
    /// When.
    pub at: SystemTime,
}

impl Milestone {
    pub(crate) fn new(name: &str, at: SystemTime) -> Self {
        Self {
            name: name.to_owned(),
            at,
        }
    }
}

impl Load {
    pub(crate) fn new(name: String, in_background: bool, began: SystemTime) -> Self {
        Self {
            name,
            in_background,
            began,
            state: LoadState::Loading,
        }
    }
}

impl Status {
    /// The reply, without the empty line that ends it.
    pub(crate) fn to_text(&self) -> String {
        let mut lines = Lines::default();
        lines
            .push("NAME", &self.name)
            .push_number("CONTRACT", self.contract)
            .push_path("ENDPOINT", &self.endpoint)
            .push_number("PID", self.pid)
            .push(super::PHASE, self.phase.as_str())
            .push("OWNER", &self.owner)
            .push("STARTED", unix_time(self.started))
            .push_number("UPTIME_US", microseconds(self.uptime))
            .push_number("OPEN", self.connections_open)
            .push_number("SERVED", self.connections_served)
            .push_number("PANICS", self.panics)
            .push_number("ERRORS", self.errors);
        if let Some(directory) = &self.directory {
            lines.push_path("DIRECTORY", directory);
        }
        if let Some(log) = &self.log {
            lines.push_path("LOG", log);
        }
        for (key, value) in [
            ("INSTANCE", &self.instance),
            ("PACKAGE", &self.package),
            ("VERSION", &self.version),
            (super::PROGRESS, &self.progress),
            ("LAST_ERROR", &self.last_error),
        ] {
            if let Some(value) = value {
                lines.push(key, value);
            }
        }
        if let Some(after) = self.idle_exit {
            lines.push_number("IDLE_EXIT", after.as_secs());
        }
        if let Some(lived) = self.premain {
            lines.push_number("PREMAIN_US", microseconds(lived));
        }
        if let Some(threads) = self.premain_threads {
            lines.push_number("PREMAIN_THREADS", threads);
        }
        self.push_loads(&mut lines);
        for (index, milestone) in self.milestones.iter().enumerate() {
            let key = numbered("AT", index);
            lines.push(
                &key,
                format!("{} {}", unix_time(milestone.at), milestone.name),
            );
        }
        lines.into_string()
    }

    fn push_loads(&self, lines: &mut Lines) {
        for (index, load) in self.loads.iter().enumerate() {
            let key = |what: &str| format!("{}{what}", numbered("LOAD", index));
            lines
                .push(&key(""), &load.name)
                .push(&key("_BEGAN"), unix_time(load.began));
            if load.in_background {
                lines.push(&key("_IN"), "background");
            }
            match &load.state {
                LoadState::Loading => {}
                LoadState::Loaded { took } => {
                    lines.push_number(&key("_US"), microseconds(*took));
                }
                LoadState::Failed { took, why } => {
                    lines
                        .push_number(&key("_US"), microseconds(*took))
                        .push(&key("_FAILED"), why);
                }
            }
        }
    }

    /// Reads a reply. `None` if it lacks what every daemon says.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let fields = Fields::of(text);
        let count = |key| fields.number(key).unwrap_or_default();
        let duration = |key: &str| fields.number(key).map(Duration::from_micros);
        Some(Self {
            name: fields.text("NAME")?,
            contract: fields.number("CONTRACT")?,
            directory: fields.path("DIRECTORY"),
            instance: fields.text("INSTANCE"),
            endpoint: fields.path("ENDPOINT")?,
            pid: fields.number("PID")?,
            phase: fields.text(super::PHASE)?.parse().ok()?,
            owner: fields.text("OWNER")?,
            package: fields.text("PACKAGE"),
            version: fields.text("VERSION"),
            log: fields.path("LOG"),
            started: from_unix_time(&fields.text("STARTED")?)?,
            uptime: duration("UPTIME_US")?,
            connections_open: count("OPEN"),
            connections_served: count("SERVED"),
            panics: count("PANICS"),
            errors: count("ERRORS"),
            idle_exit: fields.number("IDLE_EXIT").map(Duration::from_secs),
            progress: fields.text(super::PROGRESS),
            loads: (0..MOST)
                .map_while(|index| load(&fields, &numbered("LOAD", index)))
                .collect(),
            last_error: fields.text("LAST_ERROR"),
            premain: duration("PREMAIN_US"),
            premain_threads: fields.number("PREMAIN_THREADS"),
            milestones: (0..MOST)
                .map_while(|index| milestone(&fields, &numbered("AT", index)))
                .collect(),
        })
    }

    /// When the daemon came past something that has this name.
    #[must_use]
    pub fn at(&self, milestone: &str) -> Option<SystemTime> {
        self.milestones
            .iter()
            .find(|passed| passed.name == milestone)
            .map(|passed| passed.at)
    }
}

fn load(fields: &Fields<'_>, key: &str) -> Option<Load> {
    let with = |what: &str| format!("{key}{what}");
    let took = fields.number(&with("_US")).map(Duration::from_micros);
    let state = match (took, fields.text(&with("_FAILED"))) {
        (None, _) => LoadState::Loading,
        (Some(took), None) => LoadState::Loaded { took },
        (Some(took), Some(why)) => LoadState::Failed { took, why },
    };
    Some(Load {
        name: fields.text(key)?,
        in_background: fields.text(&with("_IN")).as_deref() == Some("background"),
        began: from_unix_time(&fields.text(&with("_BEGAN"))?)?,
        state,
    })
}

fn milestone(fields: &Fields<'_>, key: &str) -> Option<Milestone> {
    let text = fields.text(key)?;
    let (at, name) = text.split_once(' ')?;
    Some(Milestone::new(name, from_unix_time(at)?))
}

fn numbered(key: &str, index: usize) -> String {
    let mut numbered = String::from(key);
    let _ = write!(numbered, "_{}", index + 1);
    numbered
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn status() -> Status {
        let at = |ms: u64| UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + ms);
        let took = Duration::from_micros(1234);
        let mut loads = vec![
            Load::new("Index".to_owned(), false, at(1)),
            Load::new("Cache<Key>".to_owned(), true, at(2)),
            Load::new("Rest".to_owned(), true, at(3)),
        ];
        loads[0].state = LoadState::Loaded { took };
        loads[1].state = LoadState::Failed {
            took,
            why: "no such\n\nshard".to_owned(),
        };
        Status {
            name: "words".to_owned(),
            contract: 3,
            directory: Some(PathBuf::from("/srv/with\nnewline")),
            instance: None,
            endpoint: PathBuf::from("/run/user/1000/brokered/words.3/socket"),
            pid: 4711,
            phase: Phase::Loading,
            owner: "launcher".to_owned(),
            package: Some("words".to_owned()),
            version: Some("1.2.3".to_owned()),
            log: None,
            started: at(0),
            uptime: Duration::from_secs(86_400),
            connections_open: 2,
            connections_served: 40,
            panics: 1,
            errors: 3,
            idle_exit: Some(Duration::from_secs(600)),
            progress: Some("loading 3 of 8 shards".to_owned()),
            loads,
            last_error: Some("100% of\nthe disk".to_owned()),
            premain: Some(took),
            premain_threads: Some(1),
            milestones: vec![
                Milestone::new("main", at(0)),
                Milestone::new("ready", at(9)),
            ],
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let text = status().to_text();
        assert!(!text.contains("\n\n"), "an empty line is the end: {text}");
        assert_eq!(Status::from_text(&text), Some(status()));
        assert_eq!(status().at("ready"), Some(status().milestones[1].at));
    }

    #[test]
    fn a_torn_reply_is_none_or_lacks_what_may_be_missing() {
        let text = status().to_text();
        for length in 0..text.len() {
            let Some(torn) = text.get(..length) else {
                continue;
            };
            if let Some(read) = Status::from_text(torn) {
                assert_eq!((read.pid, read.phase), (4711, Phase::Loading), "{torn}");
            }
        }
    }
}
