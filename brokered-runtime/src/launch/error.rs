//! [`LaunchError`]: why a client is not connected.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::failure::Failure;
use crate::endpoint::EndpointError;
use crate::record::Record;
use crate::{ControlError, DirectoryError, InstanceError, Phase, diagnostics};

/// Why a client is not connected to its daemon.
#[non_exhaustive]
pub enum LaunchError {
    /// The instance does not say where its daemon is.
    Instance(InstanceError),
    /// A directory for the daemon's files is not the user's alone, or could not be made.
    Directory(DirectoryError),
    /// Nobody listens on the endpoint. From [`connect`](crate::Instance::connect), which starts nothing.
    NotRunning {
        /// Where the daemon would listen.
        endpoint: PathBuf,
    },
    /// The endpoint may not be connected to.
    NoPermission {
        /// Where the daemon listens.
        endpoint: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else answers on the endpoint.
    ForeignPeer {
        /// Where they answer.
        endpoint: PathBuf,
        /// The user that they are.
        user: u32,
    },
    /// The daemon listens, and its backlog stayed full until the deadline.
    BacklogFull {
        /// Where the daemon listens.
        endpoint: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Daemons are switched off, by `BROKERED_DISABLE`: the client does without.
    Disabled {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// The daemon is systemd's, which does not listen for it: nobody else starts it.
    OwnedBySystemd {
        /// The daemon's name.
        daemon: &'static str,
        /// Where systemd would listen.
        endpoint: PathBuf,
    },
    /// The daemon was started too often and did not stay: it is not started again for a while.
    StartLimit {
        /// The daemon's name.
        daemon: &'static str,
        /// How often it was started.
        starts: u32,
        /// Within which time.
        within: Duration,
        /// After which time it is started again.
        again_in: Duration,
        /// How the last one failed, if that is known.
        last_failure: Option<Box<Failure>>,
    },
    /// This process was started as a daemon and asks for a daemon to be started.
    InsideDaemon {
        /// Where the other daemon would listen.
        endpoint: PathBuf,
    },
    /// There is no executable to start.
    ProgramMissing {
        /// The daemon's name.
        daemon: &'static str,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// The directory that the daemon would be started in cannot be entered.
    WorkingDirectory {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The executable cannot be started.
    ProgramNotExecutable {
        /// The executable.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon ended before it was up.
    Died {
        /// The daemon's name.
        daemon: &'static str,
        /// How it ended, if that is known.
        status: Option<ExitStatus>,
        /// What it said of the reason, if it did.
        reason: Option<String>,
        /// The last that it printed.
        output: String,
        /// Where all of what it printed is.
        log: PathBuf,
    },
    /// The daemon was started, lives, and had not come far enough at the deadline. It goes on.
    SlowStart {
        /// The daemon's name.
        daemon: &'static str,
        /// How far it had come.
        reached: StartStep,
        /// How long was waited.
        waited: Duration,
        /// Where its output goes.
        log: PathBuf,
    },
    /// The daemon was started, and slept for the last two seconds before the deadline without having
    /// bound. It was killed, so that the next client can start another one.
    Hung {
        /// The daemon's name.
        daemon: &'static str,
        /// How far it had come.
        reached: StartStep,
        /// How long was waited.
        waited: Duration,
        /// The last that it printed.
        output: String,
        /// Where all of what it printed is.
        log: PathBuf,
    },
    /// The daemon was there already, and is not ready.
    NotReady(ControlError),
    /// Another process holds the instance lock, and nobody could be connected to until the deadline.
    LockHeld {
        /// The daemon's name.
        daemon: &'static str,
        /// The lock.
        lock: PathBuf,
        /// Who holds it, as far as the record tells.
        holder: Option<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// The endpoint could not be bound for the daemon.
    Bind {
        /// Why, in words.
        reason: String,
    },
    /// The system refused something else.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How far a daemon that was started had come when nobody waited for it any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StartStep {
    /// Its process is there, and has not taken over what it was handed.
    Spawned,
    /// It has taken over its lock, and is about to bind.
    Adopted,
    /// It has bound its endpoint, and loads.
    Bound,
    /// It has loaded.
    Ready,
}

impl fmt::Display for StartStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spawned => "it is before `main`, or the executable is still being read",
            Self::Adopted => "it is in `bind`",
            Self::Bound => "it is bound, and loads",
            Self::Ready => "it has loaded",
        })
    }
}

impl LaunchError {
    /// Whether the time that [`Instance::deadline`](crate::Instance::deadline) gives was over. Calling again
    /// may find the daemon up.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::BacklogFull { .. }
                | Self::SlowStart { .. }
                | Self::Hung { .. }
                | Self::LockHeld { .. }
                | Self::NotReady(ControlError::TimedOut { .. } | ControlError::NoAnswer { .. })
        )
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::Directory(error) => error.fmt(f),
            Self::NotReady(error) => error.fmt(f),
            Self::NotRunning { endpoint } => write!(
                f,
                "nobody listens on {}: the daemon is not running",
                endpoint.display()
            ),
            Self::NoPermission { endpoint, source } => write!(
                f,
                "no permission to connect to {}: {source}; run as the user whose daemon it is",
                endpoint.display()
            ),
            Self::ForeignPeer { endpoint, user } => write!(
                f,
                "user {user} answers on {}, not the user of this process: nothing was sent; set \
                 BROKERED_RUNTIME_DIR to a directory that is yours alone",
                endpoint.display()
            ),
            Self::BacklogFull { endpoint, waited } => write!(
                f,
                "the daemon on {} is bound and accepts nobody: its backlog was full for {}; it is busy \
                 or stuck",
                endpoint.display(),
                diagnostics::format_duration(*waited)
            ),
            Self::Disabled { daemon } => write!(
                f,
                "{daemon} is switched off by BROKERED_DISABLE: nothing was connected to or started"
            ),
            Self::OwnedBySystemd { daemon, endpoint } => write!(
                f,
                "{daemon} was last started by systemd, which does not listen on {} any more: start its \
                 socket unit again, or run the daemon's executable once by hand to have it without systemd",
                endpoint.display()
            ),
            Self::StartLimit {
                daemon,
                starts,
                within,
                again_in,
                last_failure,
            } => start_limit(
                f,
                daemon,
                *starts,
                [*within, *again_in],
                last_failure.as_deref(),
            ),
            Self::InsideDaemon { endpoint } => write!(
                f,
                "nobody listens on {}, and this process was itself started as a daemon \
                 (BROKERED_LAUNCH is set), so it starts no other",
                endpoint.display()
            ),
            Self::ProgramMissing { daemon, tried } => program_missing(f, daemon, tried),
            Self::WorkingDirectory { directory, source } => write!(
                f,
                "cannot start a daemon in {}: {source}; name another directory with `Instance::current_dir`",
                directory.display()
            ),
            Self::ProgramNotExecutable { program, source } => write!(
                f,
                "cannot start {}: {source}; check its permissions and that it is built for this machine",
                program.display()
            ),
            Self::Died {
                daemon,
                status,
                reason,
                output,
                log,
            } => died(f, daemon, *status, reason.as_deref(), output, log),
            Self::SlowStart {
                daemon,
                reached,
                waited,
                log,
            } => slow_start(f, daemon, *reached, *waited, log),
            Self::Hung {
                daemon,
                reached,
                waited,
                output,
                log,
            } => hung(f, daemon, *reached, *waited, (output, log)),
            Self::LockHeld {
                daemon,
                lock,
                holder,
                waited,
            } => lock_held(f, daemon, lock, holder.as_deref(), *waited),
            Self::Bind { reason } => f.write_str(reason),
            Self::Io {
                doing,
                path,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
        }
    }
}

fn start_limit(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    starts: u32,
    [within, again_in]: [Duration; 2],
    last_failure: Option<&Failure>,
) -> fmt::Result {
    write!(
        f,
        "{daemon} was started {starts} times within {} and did not stay, so it is not started again \
         for {}",
        diagnostics::format_duration(within),
        diagnostics::format_duration(again_in)
    )?;
    match last_failure {
        Some(failure) => write!(f, "; the last time: {failure}"),
        None => Ok(()),
    }
}

fn program_missing(f: &mut fmt::Formatter<'_>, daemon: &str, tried: &[PathBuf]) -> fmt::Result {
    write!(f, "no executable for the daemon {daemon}: tried")?;
    for (index, path) in tried.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma} {}", path.display())?;
    }
    write!(f, "; install it there, or name it with `Instance::program`")
}

fn lock_held(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    lock: &Path,
    holder: Option<&str>,
    waited: Duration,
) -> fmt::Result {
    write!(
        f,
        "cannot reach {daemon}: its lock {} was held for {} by {}, which does not listen; wait for it to \
         end, or end it",
        lock.display(),
        diagnostics::format_duration(waited),
        holder.unwrap_or("a process that has not recorded itself")
    )
}

fn slow_start(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    reached: StartStep,
    waited: Duration,
    log: &Path,
) -> fmt::Result {
    write!(
        f,
        "{daemon} was started and is not up after {} ({reached}); it goes on, so try again, or give it \
         more time with `Instance::deadline`; its output: {}",
        diagnostics::format_duration(waited),
        log.display()
    )
}

fn hung(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    reached: StartStep,
    waited: Duration,
    (output, log): (&str, &Path),
) -> fmt::Result {
    write!(
        f,
        "{daemon} was started and was not up after {} ({reached}); it slept for the last two seconds of \
         them, so it was killed",
        diagnostics::format_duration(waited)
    )?;
    write_output(f, output, log)
}

fn died(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    status: Option<ExitStatus>,
    reason: Option<&str>,
    output: &str,
    log: &Path,
) -> fmt::Result {
    write!(f, "{daemon} was started and ended before it was up")?;
    if let Some(status) = status {
        write!(f, " ({status})")?;
    }
    if let Some(reason) = reason {
        write!(f, ": {reason}")?;
    }
    write_output(f, output, log)
}

fn write_output(f: &mut fmt::Formatter<'_>, output: &str, log: &Path) -> fmt::Result {
    write!(f, "; its output is in {}", log.display())?;
    if !output.is_empty() {
        write!(f, " and ends with:\n{}", output.trim_end())?;
    }
    Ok(())
}

/// The same words: what `main` returns is printed so.
impl fmt::Debug for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for LaunchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // All of these say what the error inside says, so its cause is theirs.
            Self::Instance(error) => error.source(),
            Self::Directory(error) => error.source(),
            Self::NotReady(error) => error.source(),
            Self::NoPermission { source, .. }
            | Self::WorkingDirectory { source, .. }
            | Self::ProgramNotExecutable { source, .. }
            | Self::Io { source, .. } => source.source(),
            _ => None,
        }
    }
}

impl From<InstanceError> for LaunchError {
    fn from(error: InstanceError) -> Self {
        Self::Instance(error)
    }
}

impl From<DirectoryError> for LaunchError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<EndpointError> for LaunchError {
    fn from(error: EndpointError) -> Self {
        Self::Bind {
            reason: error.to_string(),
        }
    }
}

/// Who holds a lock, in words. A record that tells of a failure is of a process that is gone.
pub(super) fn describe_holder(record: &Record) -> Option<String> {
    (record.phase != Phase::Failed).then(|| {
        format!(
            "process {} ({}, started {} ago)",
            record.pid,
            record.phase,
            diagnostics::format_duration(record.age())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: &str = "as the system has it";

    fn source() -> io::Error {
        io::Error::other(WHY)
    }

    fn control() -> ControlError {
        ControlError::Io {
            doing: "ask on",
            path: PathBuf::new(),
            source: source(),
        }
    }

    fn directory() -> DirectoryError {
        DirectoryError::io(PathBuf::new(), source())
    }

    fn instance() -> InstanceError {
        InstanceError::Directory {
            path: PathBuf::new(),
            source: source(),
        }
    }

    /// What prints a whole chain would say it twice otherwise.
    #[test]
    fn a_cause_that_is_in_the_text_is_not_told_once_more() {
        let all: [Box<dyn Error>; 8] = [
            Box::new(control()),
            Box::new(directory()),
            Box::new(instance()),
            Box::new(ControlError::from(instance())),
            Box::new(LaunchError::from(directory())),
            Box::new(LaunchError::from(instance())),
            Box::new(LaunchError::NotReady(control())),
            Box::new(LaunchError::io("connect to", Path::new(""))(source())),
        ];
        for error in all {
            let mut said = error.to_string();
            let mut next = error.source();
            while let Some(cause) = next {
                said += &cause.to_string();
                next = cause.source();
            }
            assert_eq!(said.matches(WHY).count(), 1, "{said}");
        }
    }

    #[test]
    fn waiting_in_vain_until_the_deadline_is_a_timeout_whatever_for() {
        let waited = Duration::from_secs(1);
        let slow = ControlError::TimedOut {
            phase: None,
            progress: None,
            waited,
        };
        let silent = ControlError::NoAnswer {
            control: PathBuf::new(),
            holder: None,
            waited,
        };
        assert!(LaunchError::NotReady(slow).is_timeout());
        assert!(LaunchError::NotReady(silent).is_timeout());
        assert!(!LaunchError::NotReady(control()).is_timeout());
    }
}
