//! [`Status`]: the reply to the request `status`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::protocol::{PHASE, PROGRESS};
use crate::Phase;
use crate::fields::{Fields, Lines, from_unix_time, unix_time};

/// The most loads, and the most milestones, that are read from a reply.
const MAX_ENTRIES: usize = 1024;

/// The status of a daemon, from [`Instance::status`](crate::Instance::status).
///
/// ```
/// use brokered_runtime::{ControlError, Daemon};
///
/// const INDEXD: Daemon = Daemon::new("indexd");
///
/// # fn main() -> Result<(), ControlError> {
/// match INDEXD.instance().status() {
///     Ok(status) => println!("{}, {} clients", status.phase, status.connections_open),
///     Err(ControlError::NotRunning { .. }) => println!("indexd is not running"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The daemon's name.
    pub name: String,
    /// The contract number.
    pub contract: u32,
    /// The directory of the instance, if the daemon has one instance for each directory.
    pub directory: Option<PathBuf>,
    /// The name of the instance, if it is a named one.
    pub instance: Option<String>,
    /// The endpoint.
    pub endpoint: PathBuf,
    /// The process ID.
    pub pid: u32,
    /// The phase.
    pub phase: Phase,
    /// What started the daemon: `launcher`, `hand`, `systemd` or `launchd`.
    pub owner: String,
    /// The package that the daemon was built from.
    pub package: Option<String>,
    /// The version of the package.
    pub version: Option<String>,
    /// The log, if a launcher has started the daemon.
    pub log: Option<PathBuf>,
    /// When the daemon was recorded, by its system clock.
    pub started: SystemTime,
    /// The time since the daemon was recorded, by a monotonic clock.
    pub uptime: Duration,
    /// The number of open connections.
    pub connections_open: u64,
    /// The number of connections that have ended, including those that failed.
    pub connections_served: u64,
    /// The number of connection handlers that have panicked.
    pub panics: u64,
    /// The number of connection handlers that have returned an error. A client that disconnects is not an error.
    pub errors: u64,
    /// How many connections [`Bound::serve`](crate::Bound::serve) serves at once. Further clients wait in the backlog.
    /// `None` for a daemon that accepts in another way.
    pub connections_limit: Option<u64>,
    /// The number of open descriptors, with those that the framework keeps in reserve. `None` if the platform does
    /// not report it. Windows has no descriptors.
    pub descriptors_open: Option<u64>,
    /// The number of descriptors that the daemon may have open. `None` without a limit.
    pub descriptors_limit: Option<u64>,
    /// How often clients had to wait because no descriptor was free.
    pub descriptor_shortages: u64,
    /// The number of clients whose connections were closed because no descriptor was free for five seconds.
    pub clients_refused: u64,
    /// The time without open connections after which the daemon ends.
    pub idle_exit: Option<Duration>,
    /// The number of reloads that have ended.
    pub reloads: u64,
    /// Whether a reload is under way.
    pub is_reloading: bool,
    /// The reason, if the daemon refused the last reload.
    pub reload_refusal: Option<String>,
    /// The last progress text that the daemon has set.
    pub progress: Option<String>,
    /// The instance directories of the daemons that the loads wait for, until those are ready.
    pub waits_for: Vec<PathBuf>,
    /// The instance directories of the daemons that the loads have connected to. A load may wait for a reply of them.
    pub connected_to: Vec<PathBuf>,
    /// The loads of the daemon's states, in the order in which they began.
    pub loads: Vec<Load>,
    /// The last error or panic of a connection handler.
    pub last_error: Option<String>,
    /// Why the daemon's [`directory`](Self::directory) is not in place, or cannot be looked at. The daemon looks once a
    /// minute.
    pub directory_notice: Option<String>,
    /// The age of the process when it entered `main`, if the platform reports it.
    pub premain: Option<Duration>,
    /// The number of threads when the process entered `main`, if the platform reports it.
    pub premain_threads: Option<u32>,
    /// The milestones of the start-up that the daemon has reached.
    pub milestones: Vec<Milestone>,
}

/// The load of one state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// The type of the state.
    pub name: String,
    /// Whether it is a background load, during which clients are served.
    pub in_background: bool,
    /// When the load began.
    pub began: SystemTime,
    /// Whether the load has ended, and how.
    pub state: LoadState,
}

/// Whether a load has ended, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadState {
    /// The state is loading.
    Loading,
    /// The state has loaded.
    Loaded {
        /// How long the load took.
        took: Duration,
    },
    /// The load has failed.
    Failed {
        /// How long the load took.
        took: Duration,
        /// The text of the error or panic.
        reason: String,
    },
}

/// A named point of a daemon's life that it has reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Milestone {
    /// `main`, `bound`, `recorded`, `control`, `ready`, `served` (the first connection) or `draining`.
    pub name: String,
    /// When the daemon reached it, by its system clock.
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
    /// The text of the reply, without the empty line that ends it.
    pub(crate) fn to_text(&self) -> String {
        let mut lines = Lines::default();
        lines
            .push("NAME", &self.name)
            .push_number("CONTRACT", self.contract)
            .push_path("ENDPOINT", &self.endpoint)
            .push_number("PID", self.pid)
            .push(PHASE, self.phase.as_str())
            .push("OWNER", &self.owner)
            .push("STARTED", unix_time(self.started))
            .push_number("UPTIME_US", microseconds(self.uptime))
            .push_number("OPEN", self.connections_open)
            .push_number("SERVED", self.connections_served)
            .push_number("PANICS", self.panics)
            .push_number("ERRORS", self.errors)
            .push_number("RELOADS", self.reloads);
        for (key, number) in [
            ("OPEN_LIMIT", self.connections_limit),
            ("DESCRIPTORS", self.descriptors_open),
            ("DESCRIPTORS_LIMIT", self.descriptors_limit),
            (
                "SHORTAGES",
                Some(self.descriptor_shortages).filter(|number| *number > 0),
            ),
            (
                "REFUSED",
                Some(self.clients_refused).filter(|number| *number > 0),
            ),
        ] {
            if let Some(number) = number {
                lines.push_number(key, number);
            }
        }
        if self.is_reloading {
            lines.push("RELOADING", "1");
        }
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
            (PROGRESS, &self.progress),
            ("LAST_ERROR", &self.last_error),
            ("DIRECTORY_NOTICE", &self.directory_notice),
            ("RELOAD_REFUSED", &self.reload_refusal),
        ] {
            if let Some(value) = value {
                lines.push(key, value);
            }
        }
        if let Some(idle_exit) = self.idle_exit {
            lines.push_number("IDLE_EXIT", idle_exit.as_secs());
        }
        if let Some(age) = self.premain {
            lines.push_number("PREMAIN_US", microseconds(age));
        }
        if let Some(threads) = self.premain_threads {
            lines.push_number("PREMAIN_THREADS", threads);
        }
        for (index, awaited) in self.waits_for.iter().enumerate() {
            lines.push_path(&numbered("WAITS_FOR", index), awaited);
        }
        for (index, other) in self.connected_to.iter().enumerate() {
            lines.push_path(&numbered("CONNECTED_TO", index), other);
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
            let key = |suffix: &str| format!("{}{suffix}", numbered("LOAD", index));
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
                LoadState::Failed { took, reason } => {
                    lines
                        .push_number(&key("_US"), microseconds(*took))
                        .push(&key("_FAILED"), reason);
                }
            }
        }
    }

    /// Parses a reply. `None` if a mandatory key is missing.
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
            phase: fields.text(PHASE)?.parse().ok()?,
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
            connections_limit: fields.number("OPEN_LIMIT"),
            descriptors_open: fields.number("DESCRIPTORS"),
            descriptors_limit: fields.number("DESCRIPTORS_LIMIT"),
            descriptor_shortages: count("SHORTAGES"),
            clients_refused: count("REFUSED"),
            idle_exit: fields.number("IDLE_EXIT").map(Duration::from_secs),
            reloads: count("RELOADS"),
            is_reloading: fields.text("RELOADING").is_some(),
            reload_refusal: fields.text("RELOAD_REFUSED"),
            progress: fields.text(PROGRESS),
            waits_for: paths(&fields, "WAITS_FOR"),
            connected_to: paths(&fields, "CONNECTED_TO"),
            loads: (0..MAX_ENTRIES)
                .map_while(|index| load(&fields, &numbered("LOAD", index)))
                .collect(),
            last_error: fields.text("LAST_ERROR"),
            directory_notice: fields.text("DIRECTORY_NOTICE"),
            premain: duration("PREMAIN_US"),
            premain_threads: fields.number("PREMAIN_THREADS"),
            milestones: (0..MAX_ENTRIES)
                .map_while(|index| milestone(&fields, &numbered("AT", index)))
                .collect(),
        })
    }

    /// When the daemon reached the milestone of this name. `None` if it has not reached it.
    #[must_use]
    pub fn reached_at(&self, milestone: &str) -> Option<SystemTime> {
        self.milestones
            .iter()
            .find(|reached| reached.name == milestone)
            .map(|reached| reached.at)
    }
}

fn paths(fields: &Fields<'_>, key: &str) -> Vec<PathBuf> {
    (0..MAX_ENTRIES)
        .map_while(|index| fields.path(&numbered(key, index)))
        .collect()
}

fn load(fields: &Fields<'_>, key: &str) -> Option<Load> {
    let with = |suffix: &str| format!("{key}{suffix}");
    let took = fields.number(&with("_US")).map(Duration::from_micros);
    let state = match (took, fields.text(&with("_FAILED"))) {
        (None, _) => LoadState::Loading,
        (Some(took), None) => LoadState::Loaded { took },
        (Some(took), Some(reason)) => LoadState::Failed { took, reason },
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
            reason: "no such\n\nshard".to_owned(),
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
            connections_limit: Some(256),
            descriptors_open: Some(20),
            descriptors_limit: Some(24),
            descriptor_shortages: 2,
            clients_refused: 7,
            idle_exit: Some(Duration::from_secs(600)),
            reloads: 7,
            is_reloading: true,
            reload_refusal: Some("line 3: no such option".to_owned()),
            progress: Some("loading 3 of 8 shards".to_owned()),
            waits_for: vec![PathBuf::from("/run/user/1000/brokered/other\nline")],
            connected_to: vec![PathBuf::from("/run/a"), PathBuf::from("/run/b")],
            loads,
            last_error: Some("100% of\nthe disk".to_owned()),
            directory_notice: Some("the directory /srv was removed".to_owned()),
            premain: Some(took),
            premain_threads: Some(1),
            milestones: vec![
                Milestone::new("main", at(0)),
                Milestone::new("ready", at(9)),
            ],
        }
    }

    #[test]
    fn a_status_is_parsed_as_it_was_written() {
        let text = status().to_text();
        assert!(!text.contains("\n\n"), "an empty line ends a reply: {text}");
        assert_eq!(Status::from_text(&text), Some(status()));
        assert_eq!(
            status().reached_at("ready"),
            Some(status().milestones[1].at)
        );
    }

    #[test]
    fn a_truncated_reply_is_rejected_or_lacks_only_optional_keys() {
        let text = status().to_text();
        for length in 0..text.len() {
            let Some(truncated) = text.get(..length) else {
                continue;
            };
            if let Some(status) = Status::from_text(truncated) {
                assert_eq!(
                    (status.pid, status.phase),
                    (4711, Phase::Loading),
                    "{truncated}"
                );
            }
        }
    }
}
