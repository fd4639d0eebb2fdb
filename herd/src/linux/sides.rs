//! Whose clients and daemons: ours, and two that have been around for long.

use std::path::Path;
use std::process::{Command, Stdio};

use super::burst::client;
use super::{NOTES, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Brokered,
    GpgAgent,
    Tmux,
}

impl Side {
    pub(super) const ALL: [Self; 3] = [Self::Brokered, Self::GpgAgent, Self::Tmux];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brokered => "brokered",
            Self::GpgAgent => "gpg-agent",
            Self::Tmux => "tmux",
        }
    }

    pub(super) fn is_installed(self) -> bool {
        let (program, version) = match self {
            Self::Brokered => return true,
            Self::GpgAgent => ("gpg-connect-agent", "--version"),
            Self::Tmux => ("tmux", "-V"),
        };
        let asked = Command::new(program)
            .arg(version)
            .stdout(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Whether somebody can find its daemon without asking a process that may be dead.
    pub(super) fn has_a_killer(self) -> bool {
        self == Self::Brokered
    }

    /// What a place needs before the first client comes.
    pub(super) fn prepare(self, place: &Path) -> Result<()> {
        match self {
            Self::Brokered => std::fs::write(notes(place), "")?,
            Self::GpgAgent => {}
            // A server without sessions stays, as the other daemons do.
            Self::Tmux => std::fs::write(place.join("tmux.conf"), "set -s exit-empty off\n")?,
        }
        Ok(())
    }

    /// A client in this place, which waits at the gate.
    pub(super) fn client(self, place: &Path) -> Result<Command> {
        Ok(match self {
            Self::Brokered => {
                let mut command = client(std::env::current_exe()?);
                command
                    .arg("client")
                    .env("BROKERED_RUNTIME_DIR", place)
                    .env(NOTES, notes(place));
                command
            }
            Self::GpgAgent => {
                let mut command = client("gpg-connect-agent");
                command
                    .args(["--quiet", "getinfo pid", "/bye"])
                    .env("GNUPGHOME", place);
                command
            }
            Self::Tmux => {
                let mut command = client("tmux");
                command
                    .arg("-S")
                    .arg(place.join("socket"))
                    .arg("-f")
                    .arg(place.join("tmux.conf"))
                    .args(["start-server", ";", "display-message", "-p", "#{pid}"])
                    .env_remove("TMUX");
                command
            }
        })
    }

    /// The answer that a client has had, by what it said.
    pub(super) fn answer(self, said: &str) -> Option<Answer> {
        match self {
            Self::Brokered => {
                let mut numbers = said.split_whitespace().map(str::parse);
                let mut next = || numbers.next()?.ok();
                Some(Answer {
                    daemon: next()?,
                    ended: next()?,
                    dying: next()?,
                })
            }
            Self::GpgAgent => {
                let daemon = said.lines().find_map(|line| line.strip_prefix("D "))?;
                Some(Answer::of(daemon.trim().parse().ok()?))
            }
            Self::Tmux => Some(Answer::of(said.trim().parse().ok()?)),
        }
    }
}

/// What a client was told, and what it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// The process that has answered.
    pub(super) daemon: u32,
    /// How many daemons had ended before.
    pub(super) ended: u32,
    /// How often one of them was met again that was still dying.
    pub(super) dying: u32,
}

impl Answer {
    fn of(daemon: u32) -> Self {
        Self {
            daemon,
            ended: 0,
            dying: 0,
        }
    }
}

/// Where our daemons note themselves.
pub(super) fn notes(place: &Path) -> std::path::PathBuf {
    place.join("notes")
}
