//! What a launcher and the daemon that it starts say to each other.

use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Daemon;
use crate::fields::{Fields, Lines};

/// Announces a launcher to the process that it starts: `<daemon's name>:<nonce>`.
pub(crate) const LAUNCH: &str = "BROKERED_LAUNCH";
/// Makes an executable that is also a client (`cli = ..`) the daemon: `daemon`.
pub(crate) const ROLE: &str = "BROKERED_ROLE";
/// Names the instance of a daemon that is started by hand.
pub(crate) const INSTANCE: &str = "BROKERED_INSTANCE";

/// The exit code of a daemon that finds its endpoint bound by another one. For a launcher that is no
/// failure: there is a daemon.
pub(crate) const EXIT_ALREADY_BOUND: u8 = 69;

/// A number that only the launcher and its child know, in the variable and in the message: a variable
/// that was inherited from farther away announces nothing.
pub(crate) fn new_nonce() -> String {
    let keys = RandomState::new();
    let part = |number: u64| {
        let mut hasher = keys.build_hasher();
        hasher.write_u64(number);
        hasher.finish()
    };
    format!("{:016x}{:016x}", part(1), part(2))
}

/// The value of [`LAUNCH`].
pub(crate) fn announcement(daemon: Daemon, nonce: &str) -> String {
    format!("{}:{nonce}", daemon.name())
}

/// The nonce of an announcement. The name before it is for people: if another daemon was meant, the message
/// says so, and only to whoever takes it.
pub(crate) fn announced_nonce(announcement: &str) -> Option<&str> {
    announcement.split_once(':').map(|(_, nonce)| nonce)
}

/// Whether this process has been through its own start, so that the announcement in its environment, should
/// it still be there, speaks of the past.
static SPENT: AtomicBool = AtomicBool::new(false);

/// The announcement in the environment is spent.
pub(crate) fn mark_announcement_used() {
    SPENT.store(true, Ordering::Release);
}

/// Whether this process was started as a daemon and has not become one: a daemon's front.
pub(crate) fn is_launched_but_not_daemon() -> bool {
    !SPENT.load(Ordering::Acquire) && env::var_os(LAUNCH).is_some()
}

/// The first line of a message, which tells the process that it is the one that was meant.
pub(crate) fn first_line(nonce: &str) -> String {
    format!("BROKERED={nonce}\n")
}

/// What a launcher tells the daemon that it starts. The lock, and the listener if the launcher has bound
/// it, come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) contract: u32,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) instance: Option<String>,
    /// The instance's runtime directory: worked out once, by the launcher.
    pub(crate) runtime: PathBuf,
    pub(crate) log: PathBuf,
    /// Whether the launcher has bound the endpoint.
    pub(crate) bound: bool,
}

impl Message {
    /// The message as it is sent. It ends with an empty line.
    pub(crate) fn to_text(&self, nonce: &str) -> String {
        let mut lines = Lines::default();
        lines
            .push("NAME", &self.name)
            .push_number("CONTRACT", self.contract)
            .push_path("RUNTIME", &self.runtime)
            .push_path("LOG", &self.log)
            .push("ENDPOINT", if self.bound { "bound" } else { "unbound" });
        if let Some(directory) = &self.directory {
            lines.push_path("DIRECTORY", directory);
        }
        if let Some(instance) = &self.instance {
            lines.push("INSTANCE", instance);
        }
        first_line(nonce) + &lines.into_string() + "\n"
    }

    /// Reads a message. `None` if it lacks anything.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let fields = Fields::of(text);
        Some(Self {
            name: fields.text("NAME")?,
            contract: fields.number("CONTRACT")?,
            directory: fields.path("DIRECTORY"),
            instance: fields.text("INSTANCE"),
            runtime: fields.path("RUNTIME")?,
            log: fields.path("LOG")?,
            bound: match fields.text("ENDPOINT")?.as_str() {
                "bound" => true,
                "unbound" => false,
                _ => return None,
            },
        })
    }
}

/// What the daemon tells its launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Lock and listener are the daemon's now.
    Adopted,
    /// The endpoint is bound and recorded.
    Bound,
    /// The daemon is on its way, and this far.
    Status(String),
    /// All states have loaded.
    Ready,
    /// The daemon ends, since it was asked to.
    Stopping,
    /// The daemon ends, since it cannot go on.
    Failed(String),
}

impl Event {
    /// The line that is sent.
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

    /// Reads a line. `None` if a newer daemon says something that is not known here.
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
    fn a_message_comes_back_as_it_was_sent() {
        let message = Message {
            name: "words".to_owned(),
            contract: 2,
            directory: Some(PathBuf::from("/srv/a\n\nb")),
            instance: Some("a\n\nb".to_owned()),
            runtime: PathBuf::from("/run/user/1/brokered/words.2-0"),
            log: PathBuf::from("/var/log/words"),
            bound: true,
        };
        let text = message.to_text("abc");
        assert!(text.starts_with(&first_line("abc")));
        assert_eq!(text.find("\n\n"), Some(text.len() - 2), "one end: {text}");
        assert_eq!(Message::from_text(&text), Some(message));
    }

    #[test]
    fn an_event_comes_back_as_it_was_told() {
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
        let words = Daemon::new("words");
        let nonce = new_nonce();
        assert_eq!(nonce.len(), 32);
        assert_ne!(nonce, new_nonce());
        let announcement = announcement(words, &nonce);
        assert_eq!(announced_nonce(&announcement), Some(nonce.as_str()));
        assert_eq!(announced_nonce("words"), None);
    }
}
