//! The hand-off between a launcher and the daemon that it starts: the environment variables, the launch message, and
//! the events that the daemon reports.

use std::env;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Daemon;
use crate::fields::{Fields, Lines};

/// Announces a launcher to the process that it starts: `<daemon's name>:<nonce>`. Only the launcher and that process
/// know the nonce, so a variable that was inherited from another process announces nothing.
pub(crate) const LAUNCH: &str = "BROKERED_LAUNCH";
/// The environment variable that selects the daemon's role in an executable with `cli = ..`: `daemon`.
pub(crate) const ROLE: &str = "BROKERED_ROLE";
/// The environment variable that selects the instance of a daemon that is started by hand.
pub(crate) const INSTANCE: &str = "BROKERED_INSTANCE";

/// The exit code of a daemon whose endpoint another process has bound. A launcher treats it as success: a daemon runs.
pub(crate) const EXIT_ALREADY_BOUND: u8 = 69;

/// The value of [`LAUNCH`].
pub(crate) fn announcement(daemon: Daemon, nonce: &str) -> String {
    format!("{}:{nonce}", daemon.name())
}

/// The nonce of an announcement. The name before it is for people only: the launch message says which daemon is meant.
pub(crate) fn announced_nonce(announcement: &str) -> Option<&str> {
    announcement.split_once(':').map(|(_, nonce)| nonce)
}

/// Whether this process has consumed the announcement. The variable itself can remain in the environment.
static IS_ANNOUNCEMENT_USED: AtomicBool = AtomicBool::new(false);

/// Records that this process has consumed the announcement.
pub(crate) fn mark_announcement_used() {
    IS_ANNOUNCEMENT_USED.store(true, Ordering::Release);
}

/// Whether this process was started as a daemon but has not become one, like a wrapper program. It must not start the
/// daemon in turn.
pub(crate) fn is_launched_but_not_daemon() -> bool {
    !IS_ANNOUNCEMENT_USED.load(Ordering::Acquire) && env::var_os(LAUNCH).is_some()
}

/// The first line of a launch message. The daemon compares its nonce with the announced one.
pub(crate) fn first_line(nonce: &str) -> String {
    format!("BROKERED={nonce}\n")
}

/// The launch message, which a launcher sends to the daemon. The lock comes with it, and so does the listener if the
/// launcher has bound the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) contract: u32,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) instance: Option<String>,
    /// The instance directory. Only the launcher computes it, so that both sides agree.
    pub(crate) instance_directory: PathBuf,
    pub(crate) log: PathBuf,
    /// The size in bytes beyond which the daemon rotates the log, or 0 if it never does. An older launcher sends no
    /// size, and expects no rotation.
    pub(crate) max_log_size: Option<u64>,
    /// Whether the launcher has bound the endpoint.
    pub(crate) bound: bool,
}

impl Message {
    /// The text of the message. An empty line ends it.
    pub(crate) fn to_text(&self, nonce: &str) -> String {
        let mut lines = Lines::default();
        lines
            .push("NAME", &self.name)
            .push_number("CONTRACT", self.contract)
            .push_path("RUNTIME", &self.instance_directory)
            .push_path("LOG", &self.log)
            .push("ENDPOINT", if self.bound { "bound" } else { "unbound" });
        if let Some(size) = self.max_log_size {
            lines.push_number("MAX_LOG_SIZE", size);
        }
        if let Some(directory) = &self.directory {
            lines.push_path("DIRECTORY", directory);
        }
        if let Some(instance) = &self.instance {
            lines.push("INSTANCE", instance);
        }
        first_line(nonce) + &lines.into_string() + "\n"
    }

    /// Parses a message. `None` if a required field is missing.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let fields = Fields::of(text);
        Some(Self {
            name: fields.text("NAME")?,
            contract: fields.number("CONTRACT")?,
            directory: fields.path("DIRECTORY"),
            instance: fields.text("INSTANCE"),
            instance_directory: fields.path("RUNTIME")?,
            log: fields.path("LOG")?,
            max_log_size: fields.number("MAX_LOG_SIZE"),
            bound: match fields.text("ENDPOINT")?.as_str() {
                "bound" => true,
                "unbound" => false,
                _ => return None,
            },
        })
    }
}

/// An event that the daemon reports to its launcher, as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The daemon has adopted the lock and the listener.
    Adopted,
    /// The endpoint is bound and recorded.
    Bound,
    /// The progress of the start-up, as text.
    Status(String),
    /// The daemon is ready.
    Ready,
    /// The daemon shuts down because it was asked to.
    Stopping,
    /// The daemon ends because of this failure.
    Failed(String),
}

impl Event {
    /// The line of the event.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Adopted => "ADOPTED".to_owned(),
            Self::Bound => "BOUND".to_owned(),
            Self::Status(progress) => format!("STATUS={progress}"),
            Self::Ready => "READY".to_owned(),
            Self::Stopping => "STOPPING".to_owned(),
            Self::Failed(why) => format!("FAILED={why}"),
        }
    }

    /// Parses a line. `None` for an event that only a newer version knows.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        if let Some(why) = line.strip_prefix("FAILED=") {
            return Some(Self::Failed(why.to_owned()));
        }
        if let Some(progress) = line.strip_prefix("STATUS=") {
            return Some(Self::Status(progress.to_owned()));
        }
        [Self::Adopted, Self::Bound, Self::Ready, Self::Stopping]
            .into_iter()
            .find(|event| event.to_line() == line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_a_round_trip() {
        let message = Message {
            name: "words".to_owned(),
            contract: 2,
            directory: Some(PathBuf::from("/srv/a\n\nb")),
            instance: Some("a\n\nb".to_owned()),
            instance_directory: PathBuf::from("/run/user/1/brokered/words.2-0"),
            log: PathBuf::from("/var/log/words"),
            max_log_size: Some(1 << 40),
            bound: true,
        };
        let text = message.to_text("abc");
        assert!(text.starts_with(&first_line("abc")));
        assert_eq!(
            text.find("\n\n"),
            Some(text.len() - 2),
            "only one empty line: {text}"
        );
        assert_eq!(Message::from_text(&text), Some(message.clone()));

        // The message of a launcher that knows no size.
        let text: String = text
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("MAX_LOG_SIZE="))
            .collect();
        let older = Message {
            max_log_size: None,
            ..message
        };
        assert_eq!(Message::from_text(&text), Some(older.clone()));
        assert_eq!(older.to_text("abc"), text);
    }

    #[test]
    fn an_event_survives_a_round_trip() {
        for event in [
            Event::Adopted,
            Event::Bound,
            Event::Status("loading 3 of 8 shards".to_owned()),
            Event::Ready,
            Event::Stopping,
            Event::Failed("no such shard".to_owned()),
        ] {
            assert_eq!(Event::from_line(&event.to_line()), Some(event));
        }
        assert_eq!(Event::from_line("SOMETHING=NEW"), None);
    }

    #[test]
    fn an_announcement_carries_its_nonce() {
        let announcement = announcement(Daemon::new("words"), "0123abcd");
        assert_eq!(announced_nonce(&announcement), Some("0123abcd"));
        assert_eq!(announced_nonce("words"), None);
    }
}
