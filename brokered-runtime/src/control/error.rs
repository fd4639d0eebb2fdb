//! [`ControlError`]: why a request to a daemon has failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::obstacle::Obstacle;
use crate::platform::Access;
use crate::record::Record;
use crate::refusal::{Advice, note_on_users};
use crate::{InstanceError, Phase, Refusal, diagnostics};

/// Why a request to a daemon has failed.
///
/// `Debug` prints the same text as `Display`, because that is what Rust prints for an error that `main` returns.
///
/// ```
/// use brokered_runtime::{ControlError, Daemon};
///
/// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
///
/// // A daemon that has one instance for each directory, and no directory.
/// let error = INDEXD.instance().status().unwrap_err();
/// assert!(matches!(error, ControlError::Instance(_)));
/// ```
#[non_exhaustive]
pub enum ControlError {
    /// The instance does not fit its daemon, or has no usable directory.
    Instance(InstanceError),
    /// There is no daemon: no process holds the instance lock.
    NotRunning {
        /// The control endpoint on which the daemon would listen.
        control: PathBuf,
    },
    /// This process has no permission to connect to the control endpoint. The refusal says whether that is because of its
    /// user, of a mode, or of a sandbox.
    NoPermission {
        /// The control endpoint.
        control: PathBuf,
        /// The error of the system call.
        source: io::Error,
        /// Who or what refuses it.
        refusal: Refusal,
    },
    /// A process of a foreign user listens on the control endpoint. Nothing was sent to it.
    ForeignPeer {
        /// The control endpoint.
        control: PathBuf,
        /// The user ID of the peer.
        user: u32,
    },
    /// A process holds the instance lock, but does not answer.
    NoAnswer {
        /// The control endpoint.
        control: PathBuf,
        /// The holder, described from the record, if there is one.
        holder: Option<String>,
        /// What keeps it from answering, if that is known.
        obstacle: Option<Obstacle>,
        /// How long the call waited.
        waited: Duration,
    },
    /// The daemon is a hand-written backend, which has no control endpoint.
    NoControl {
        /// The path that the control endpoint would have.
        control: PathBuf,
        /// The holder of the instance lock, described from the record.
        holder: String,
    },
    /// The daemon replied with an error.
    Refused {
        /// The text of the error.
        message: String,
    },
    /// The reply does not follow the control protocol.
    InvalidReply {
        /// What is wrong with the reply.
        reason: String,
    },
    /// The daemon does not know the request, because it is older than this program.
    UnknownRequest {
        /// The request.
        request: &'static str,
        /// The text of the daemon's error.
        message: String,
    },
    /// The daemon does not take reloads. It goes on as before.
    ReloadsNotTaken,
    /// The daemon refused what has changed, and goes on as before.
    ReloadRefused {
        /// The reason, in the daemon's words.
        reason: String,
    },
    /// The reload has not ended at the deadline. It continues.
    ReloadTimedOut {
        /// How long the call waited.
        waited: Duration,
    },
    /// The daemon ends, so it will not become ready, and will not reload.
    Ending {
        /// The last phase that the daemon has reported.
        phase: Phase,
        /// The failure, if the daemon ends because of one.
        reason: Option<String>,
    },
    /// The daemon was not ready, or had not ended, at the deadline.
    TimedOut {
        /// The last phase that the daemon has reported.
        phase: Option<Phase>,
        /// The last progress text that the daemon has reported.
        progress: Option<String>,
        /// What keeps it, if that is known.
        obstacle: Option<Obstacle>,
        /// How long the call waited.
        waited: Duration,
    },
    /// The call was made in a load of the daemon itself, or before its `main` accepts clients, and would wait for
    /// itself.
    OwnDaemon {
        /// The endpoint of this process.
        endpoint: PathBuf,
    },
    /// The call was made in a load of a daemon for which the other daemon waits: none of them would ever be ready.
    WaitCycle {
        /// The instance directories of the daemons. Each one waits for the next, and the last one is the first.
        chain: Vec<PathBuf>,
    },
    /// The daemon does not answer, and the recorded process may be another one. No signal was sent to it.
    ProcessNotVerified {
        /// The process ID in the record.
        pid: u32,
        /// Why the process may be another one.
        reason: String,
    },
    /// Another system call failed.
    Io {
        /// The operation that failed, as it follows "cannot".
        operation: &'static str,
        /// The path on which it failed.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
        /// Who or what refuses it, if the error is a refusal.
        refusal: Option<Refusal>,
    },
}

impl ControlError {
    /// The error of a call that concerns no entry of a file system, such as one with a connection.
    pub(super) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let is_refused = source.kind() == io::ErrorKind::PermissionDenied;
        Self::Io {
            operation,
            path: path.to_owned(),
            refusal: is_refused.then_some(Refusal::Sandbox),
            source,
        }
    }

    /// The error of an attempt to inspect the lock on a directory.
    pub(super) fn lock(directory: &Path, source: io::Error) -> Self {
        Self::Io {
            operation: "inspect the lock on",
            path: directory.to_owned(),
            refusal: Refusal::of(&source, directory, Access::Lock),
            source,
        }
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::NotRunning { control } => write!(
                f,
                "the daemon is not running: no process listens on {}",
                control.display()
            ),
            Self::NoPermission {
                control,
                source,
                refusal,
            } => write!(
                f,
                "no permission to connect to {}: {source}; {refusal}",
                control.display()
            ),
            Self::ForeignPeer { control, user } => write!(
                f,
                "a process of user {user} listens on {}, and this process runs as another user: nothing was \
                 sent; set BROKERED_RUNTIME_DIR to a directory that only this user can write to{}",
                control.display(),
                note_on_users(&[*user])
            ),
            Self::NoAnswer {
                control,
                holder,
                obstacle,
                waited,
            } => {
                write_no_answer(f, control, holder.as_deref(), *waited)?;
                write_obstacle(f, obstacle.as_ref())
            }
            Self::OwnDaemon { endpoint } => write_own_daemon(f, endpoint),
            Self::WaitCycle { chain } => write_cycle(f, chain),
            Self::NoControl { control, holder } => write!(
                f,
                "{holder} is a hand-written backend, which has no control endpoint: {} does not exist",
                control.display()
            ),
            Self::Refused { message } => write!(f, "the daemon replied with an error: {message}"),
            Self::InvalidReply { reason } => {
                write!(f, "the daemon sent an invalid reply: {reason}")
            }
            Self::UnknownRequest { request, message } => write!(
                f,
                "the daemon is older than this program and does not know the request `{request}`: restart it; it \
                 replied: {message}"
            ),
            Self::ReloadsNotTaken => f.write_str(
                "the daemon does not take reloads; restart it to apply what has changed",
            ),
            Self::ReloadRefused { reason } => write!(
                f,
                "the daemon refused the reload, and goes on as before: {reason}"
            ),
            Self::ReloadTimedOut { waited } => write!(
                f,
                "the daemon is still reloading after {}",
                diagnostics::format_duration(*waited)
            ),
            Self::Ending {
                phase,
                reason: Some(reason),
            } => write!(f, "the daemon is {phase}: {reason}"),
            Self::Ending {
                phase,
                reason: None,
            } => write!(f, "the daemon is {phase}: it ends"),
            Self::TimedOut {
                phase,
                progress,
                obstacle,
                waited,
            } => {
                write_timed_out(f, *phase, progress.as_deref(), *waited)?;
                write_obstacle(f, obstacle.as_ref())
            }
            Self::ProcessNotVerified { pid, reason } => write!(
                f,
                "the daemon does not answer, and no signal was sent to process {pid}, which its record names: \
                 {reason}; examine that process, and end it yourself if it is the daemon"
            ),
            Self::Io {
                operation,
                path,
                source,
                refusal,
            } => write!(
                f,
                "cannot {operation} {}: {source}{}",
                path.display(),
                Advice::new(source, refusal.as_ref())
            ),
        }
    }
}

fn write_no_answer(
    f: &mut fmt::Formatter<'_>,
    control: &Path,
    holder: Option<&str>,
    waited: Duration,
) -> fmt::Result {
    write!(
        f,
        "no answer on {} within {}; the daemon's lock is held by {}",
        control.display(),
        diagnostics::format_duration(waited),
        holder.unwrap_or("a process that has not written its record yet")
    )
}

fn write_timed_out(
    f: &mut fmt::Formatter<'_>,
    phase: Option<Phase>,
    progress: Option<&str>,
    waited: Duration,
) -> fmt::Result {
    match phase {
        Some(phase) => write!(f, "the daemon is still {phase}")?,
        None => write!(f, "the daemon has reported nothing")?,
    }
    write!(f, " after {}", diagnostics::format_duration(waited))?;
    match progress {
        Some(progress) => write!(f, " ({progress})"),
        None => Ok(()),
    }
}

/// Adds what keeps a daemon from answering, if that is known.
pub(crate) fn write_obstacle(
    f: &mut fmt::Formatter<'_>,
    obstacle: Option<&Obstacle>,
) -> fmt::Result {
    match obstacle {
        Some(obstacle) => write!(f, "; {obstacle}"),
        None => Ok(()),
    }
}

/// The text of a call that would wait for itself.
pub(crate) fn write_own_daemon(f: &mut fmt::Formatter<'_>, endpoint: &Path) -> fmt::Result {
    write!(
        f,
        "this process is the daemon on {} and does not serve yet, so the call would wait for itself; make it once \
         the daemon is ready, or in another process",
        endpoint.display()
    )
}

fn write_cycle(f: &mut fmt::Formatter<'_>, chain: &[PathBuf]) -> fmt::Result {
    f.write_str("these daemons wait for each other, and none of them would ever be ready: ")?;
    for (index, instance) in chain.iter().enumerate() {
        let link = if index == 0 { "" } else { " waits for " };
        write!(f, "{link}{}", instance.display())?;
    }
    write!(
        f,
        "; wait in one of the loads for `WaitFor::Bound` only, or call after the load"
    )
}

/// The same text as `Display`: Rust prints an error that `main` returns with `Debug`.
impl fmt::Debug for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ControlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text has the text of the inner error, so the next cause is that of the inner error.
            Self::Instance(error) => error.source(),
            Self::NoPermission { source, .. } | Self::Io { source, .. } => source.source(),
            _ => None,
        }
    }
}

impl From<InstanceError> for ControlError {
    fn from(error: InstanceError) -> Self {
        Self::Instance(error)
    }
}

/// Describes the process that a record names.
pub(crate) fn describe_process(record: &Record) -> String {
    format!(
        "process {} ({}, started {} ago)",
        record.pid,
        record.phase,
        diagnostics::format_duration(record.age())
    )
}
