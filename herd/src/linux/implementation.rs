//! The implementations that are compared: ours and two established ones.

use std::path::Path;
use std::process::{Command, Stdio};

use super::simultaneous_clients::client;
use super::{LOG_VARIABLE, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Implementation {
    Brokered,
    GpgAgent,
    Tmux,
}

impl Implementation {
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
        let status = Command::new(program)
            .arg(version)
            .stdout(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// Whether its daemon can be found, and so killed, without a connection to it.
    pub(super) fn supports_kills(self) -> bool {
        self == Self::Brokered
    }

    /// Prepares a runtime directory for the first client.
    pub(super) fn prepare(self, directory: &Path) -> Result<()> {
        match self {
            Self::Brokered => std::fs::write(daemon_log(directory), "")?,
            Self::GpgAgent => {}
            // A server without sessions keeps running, as the other daemons do.
            Self::Tmux => std::fs::write(directory.join("tmux.conf"), "set -s exit-empty off\n")?,
        }
        Ok(())
    }

    /// A client with this runtime directory, which waits for the release.
    pub(super) fn client(self, directory: &Path) -> Result<Command> {
        Ok(match self {
            Self::Brokered => {
                let mut command = client(std::env::current_exe()?);
                command
                    .arg("client")
                    .env("BROKERED_RUNTIME_DIR", directory)
                    .env(LOG_VARIABLE, daemon_log(directory));
                command
            }
            Self::GpgAgent => {
                let mut command = client("gpg-connect-agent");
                command
                    .args(["--quiet", "getinfo pid", "/bye"])
                    .env("GNUPGHOME", directory);
                command
            }
            Self::Tmux => {
                let mut command = client("tmux");
                command
                    .arg("-S")
                    .arg(directory.join("socket"))
                    .arg("-f")
                    .arg(directory.join("tmux.conf"))
                    .args(["start-server", ";", "display-message", "-p", "#{pid}"])
                    .env_remove("TMUX");
                command
            }
        })
    }

    /// The reply that a client has had, by its output.
    pub(super) fn reply(self, output: &str) -> Option<Reply> {
        match self {
            Self::Brokered => {
                let mut numbers = output.split_whitespace().map(str::parse);
                let mut next = || numbers.next()?.ok();
                Some(Reply {
                    daemon: next()?,
                    ended: next()?,
                    dying: next()?,
                })
            }
            Self::GpgAgent => {
                let daemon = output.lines().find_map(|line| line.strip_prefix("D "))?;
                Some(Reply::of(daemon.trim().parse().ok()?))
            }
            Self::Tmux => Some(Reply::of(output.trim().parse().ok()?)),
        }
    }
}

/// A client's reply, and the daemons that ended before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    /// The PID of the daemon that replied.
    pub(super) daemon: u32,
    /// How many daemons ended before.
    pub(super) ended: u32,
    /// How often the client connected again to a daemon that was still dying.
    pub(super) dying: u32,
}

impl Reply {
    fn of(daemon: u32) -> Self {
        Self {
            daemon,
            ended: 0,
            dying: 0,
        }
    }
}

/// The log of our daemons.
pub(super) fn daemon_log(directory: &Path) -> std::path::PathBuf {
    directory.join("daemons")
}
