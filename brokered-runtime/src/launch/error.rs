//! [`LaunchError`]: why a client is not connected to its daemon.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::failure::Failure;
use crate::control::{Obstacle, describe_process, write_obstacle, write_own_daemon};
use crate::endpoint::EndpointError;
use crate::platform::{self, Access};
use crate::record::Record;
use crate::refusal::{Advice, note_on_users};
use crate::{ControlError, DirectoryError, InstanceError, Phase, Refusal, diagnostics};

/// Why a client is not connected to its daemon.
///
/// The text says what happened, to which path, and what to do. `Debug` prints the same text, because that is what
/// Rust prints for an error that `main` returns.
///
/// ```
/// use brokered_runtime::{Daemon, LaunchError};
///
/// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
///
/// // A daemon that has one instance for each directory, and no directory.
/// let error = INDEXD.instance().connect().unwrap_err();
/// assert!(matches!(error, LaunchError::Instance(_)));
/// assert!(!error.is_timeout());
/// ```
#[non_exhaustive]
pub enum LaunchError {
    /// The instance does not fit its daemon, or has no usable directory.
    Instance(InstanceError),
    /// A directory for the daemon's files is not private to this user, or cannot be created.
    Directory(DirectoryError),
    /// No process listens on the endpoint. Returned by [`connect`](crate::Instance::connect), which never starts a
    /// daemon.
    NotRunning {
        /// The endpoint on which the daemon would listen.
        endpoint: PathBuf,
    },
    /// This process has no permission to connect to the endpoint. The refusal says whether that is because of its user,
    /// of a mode, or of a sandbox.
    NoPermission {
        /// The endpoint.
        endpoint: PathBuf,
        /// The error of the system call.
        source: io::Error,
        /// Who or what refuses it.
        refusal: Refusal,
    },
    /// A process of a foreign user listens on the endpoint. Nothing was sent to it.
    ForeignPeer {
        /// The endpoint.
        endpoint: PathBuf,
        /// The user ID of the peer.
        user: u32,
    },
    /// A daemon listens, but its backlog stayed full until the deadline.
    BacklogFull {
        /// The endpoint.
        endpoint: PathBuf,
        /// What keeps the daemon from accepting, if that is known.
        obstacle: Option<Obstacle>,
        /// How long the call waited.
        waited: Duration,
    },
    /// `BROKERED_DISABLE` disables the daemon: the client does the work itself, or does without.
    Disabled {
        /// The daemon's name.
        daemon: &'static str,
    },
    /// The daemon was last started by systemd, which no longer listens for it. Launchers do not start it.
    OwnedBySystemd {
        /// The daemon's name.
        daemon: &'static str,
        /// The endpoint on which systemd would listen.
        endpoint: PathBuf,
    },
    /// The daemon is in a crash loop, and the start limit is reached. See
    /// [`start_limit`](crate::Instance::start_limit).
    StartLimit {
        /// The daemon's name.
        daemon: &'static str,
        /// The number of starts.
        starts: u32,
        /// The time within which they were.
        within: Duration,
        /// The time after which the daemon may be started again.
        retry_after: Duration,
        /// How the last daemon failed, if that is recorded.
        last_failure: Option<Box<Failure>>,
    },
    /// This process was itself started as a daemon, so it does not start one.
    InsideDaemon {
        /// The endpoint on which the other daemon would listen.
        endpoint: PathBuf,
    },
    /// This process is the daemon and does not serve yet, so the call would wait for itself.
    OwnDaemon {
        /// The endpoint of this process.
        endpoint: PathBuf,
    },
    /// There is no executable to start.
    ProgramMissing {
        /// The daemon's name.
        daemon: &'static str,
        /// The paths that were tried.
        tried: Vec<PathBuf>,
    },
    /// The working directory of the daemon cannot be entered.
    WorkingDirectory {
        /// The directory.
        directory: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// The log that the client has named with [`Instance::log`](crate::Instance::log) cannot be opened.
    Log {
        /// The log.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
        /// Who or what refuses it, if the error is a refusal.
        refusal: Option<Refusal>,
    },
    /// The executable cannot be started.
    ProgramNotExecutable {
        /// The executable.
        program: PathBuf,
        /// The error of the system call.
        source: io::Error,
        /// Who or what refuses it, if the error is a refusal.
        refusal: Option<Refusal>,
    },
    /// The daemon ended during its start-up.
    Died {
        /// The daemon's name.
        daemon: &'static str,
        /// The exit status, if this process could reap the daemon.
        status: Option<ExitStatus>,
        /// The reason, if the daemon has reported one.
        reason: Option<String>,
        /// The end of the daemon's output, at most 4 KiB.
        output: String,
        /// The log, which has more of the output.
        log: PathBuf,
    },
    /// The daemon was started and is running, but did not finish its start-up before the deadline.
    SlowStart {
        /// The daemon's name.
        daemon: &'static str,
        /// The stage that it had reached.
        reached: StartStage,
        /// What keeps it from going on, if that is known.
        obstacle: Option<Obstacle>,
        /// How long the call waited.
        waited: Duration,
        /// The log, which receives the daemon's output.
        log: PathBuf,
    },
    /// The daemon was started, was not bound at the deadline, and used no CPU time in the two seconds before.
    /// It was killed, so that the next client can start another one.
    Hung {
        /// The daemon's name.
        daemon: &'static str,
        /// The stage that it had reached.
        reached: StartStage,
        /// How long the call waited.
        waited: Duration,
        /// The end of the daemon's output, at most 4 KiB.
        output: String,
        /// The log, which has more of the output.
        log: PathBuf,
    },
    /// Another process has started the daemon, and it did not become ready.
    NotReady(ControlError),
    /// Another process held the instance lock until the deadline, and did not listen.
    LockHeld {
        /// The daemon's name.
        daemon: &'static str,
        /// The file or directory on which the lock is.
        lock: PathBuf,
        /// The holder, described from the record, if there is one.
        holder: Option<String>,
        /// What keeps it from listening, if that is known.
        obstacle: Option<Obstacle>,
        /// How long the call waited.
        waited: Duration,
    },
    /// The launcher could not bind the endpoint.
    Bind {
        /// The text of the error.
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

/// The stage of its start-up that a launched daemon has reached.
///
/// ```
/// use brokered_runtime::StartStage;
///
/// assert!(StartStage::Adopted < StartStage::Bound);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StartStage {
    /// The process is started, and has not yet adopted what the launcher handed off.
    Spawned,
    /// The daemon has adopted the lock, and is about to bind.
    Adopted,
    /// The daemon is bound and recorded, and loads its states.
    Bound,
    /// The daemon is ready.
    Ready,
}

impl fmt::Display for StartStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spawned => "it has not reached `main`",
            Self::Adopted => "it is in `bind`",
            Self::Bound => "it is bound and is loading",
            Self::Ready => "it is ready",
        })
    }
}

impl LaunchError {
    /// Whether the [`deadline`](crate::Instance::deadline) was over. A later call may succeed.
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

    /// The error of a call that concerns no entry of a file system, such as one with a connection.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io_with(operation, path, |error, _| {
            (error.kind() == io::ErrorKind::PermissionDenied).then_some(Refusal::Sandbox)
        })
    }

    /// The error of an attempt to access a path.
    pub(super) fn access(
        operation: &'static str,
        path: &Path,
        access: Access,
    ) -> impl FnOnce(io::Error) -> Self {
        Self::io_with(operation, path, move |error, path| {
            Refusal::of(error, path, access)
        })
    }

    fn io_with(
        operation: &'static str,
        path: &Path,
        refusal: impl FnOnce(&io::Error, &Path) -> Option<Refusal>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            operation,
            refusal: refusal(&source, &path),
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
                "the daemon is not running: no process listens on {}; start it first, or connect with \
                 `connect_or_spawn`",
                endpoint.display()
            ),
            Self::NoPermission {
                endpoint,
                source,
                refusal,
            } => no_permission(f, endpoint, source, refusal),
            Self::ForeignPeer { endpoint, user } => foreign_peer(f, endpoint, *user),
            Self::BacklogFull {
                endpoint,
                obstacle,
                waited,
            } => backlog_full(f, endpoint, *waited, obstacle.as_ref()),
            Self::OwnDaemon { endpoint } => write_own_daemon(f, endpoint),
            Self::Disabled { daemon } => write!(
                f,
                "{daemon} is disabled by BROKERED_DISABLE, so it was neither connected to nor started; unset \
                 the variable to use the daemon"
            ),
            Self::OwnedBySystemd { daemon, endpoint } => owned_by_systemd(f, daemon, endpoint),
            Self::StartLimit {
                daemon,
                starts,
                within,
                retry_after,
                last_failure,
            } => start_limit(
                f,
                daemon,
                *starts,
                [*within, *retry_after],
                last_failure.as_deref(),
            ),
            Self::InsideDaemon { endpoint } => inside_daemon(f, endpoint),
            Self::ProgramMissing { daemon, tried } => program_missing(f, daemon, tried),
            Self::WorkingDirectory { directory, source } => working_directory(f, directory, source),
            Self::Log {
                path,
                source,
                refusal,
            } => named_log(f, path, source, refusal.as_ref()),
            Self::ProgramNotExecutable {
                program,
                source,
                refusal,
            } => program_not_executable(f, program, source, refusal.as_ref()),
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
                obstacle,
                waited,
                log,
            } => slow_start(f, daemon, *reached, *waited, (log, obstacle.as_ref())),
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
                obstacle,
                waited,
            } => lock_held(
                f,
                daemon,
                lock,
                holder.as_deref(),
                (*waited, obstacle.as_ref()),
            ),
            Self::Bind { reason } => f.write_str(reason),
            Self::Io {
                operation,
                path,
                source,
                refusal,
            } => failed_call(f, operation, path, source, refusal.as_ref()),
        }
    }
}

fn failed_call(
    f: &mut fmt::Formatter<'_>,
    operation: &str,
    path: &Path,
    source: &io::Error,
    refusal: Option<&Refusal>,
) -> fmt::Result {
    write!(
        f,
        "cannot {operation} {}: {source}{}",
        path.display(),
        Advice::new(source, refusal)
    )
}

fn working_directory(
    f: &mut fmt::Formatter<'_>,
    directory: &Path,
    source: &io::Error,
) -> fmt::Result {
    write!(
        f,
        "cannot start a daemon in {}: {source}; choose another directory with `Instance::current_dir`",
        directory.display()
    )
}

/// The advice is about this file alone. Another runtime directory would change nothing.
fn named_log(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    source: &io::Error,
    refusal: Option<&Refusal>,
) -> fmt::Result {
    const CHOOSE: &str = "choose another file with `Instance::log`";

    write!(f, "cannot open the log {}: {source}; ", path.display())?;
    match (refusal, source.kind()) {
        (Some(Refusal::ForeignUser { path, owner, user }), _) => write!(
            f,
            "{} belongs to user {owner}, but this process runs as user {user}: {CHOOSE}, or permit this user to write \
             to this one{}",
            path.display(),
            note_on_users(&[*owner, *user])
        ),
        (Some(Refusal::Immutable { path }), _) => write!(
            f,
            "{} cannot be changed, as `lsattr -d {0}` shows: clear that attribute with `chattr`, or {CHOOSE}",
            path.display()
        ),
        (Some(Refusal::Sandbox), _) => write!(
            f,
            "no owner and no mode refuses this, but a sandbox or a security policy does, such as {}: permit this file \
             there, or {CHOOSE}",
            platform::SANDBOX_HINT
        ),
        (Some(refusal @ Refusal::Mode { .. }), _) => write!(f, "{refusal}, or {CHOOSE}"),
        (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            write!(f, "free some space or some inodes there, or {CHOOSE}")
        }
        (_, io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::Unsupported) => f.write_str(CHOOSE),
        _ => f.write_str(platform::error_hint(source).unwrap_or(CHOOSE)),
    }
}

fn inside_daemon(f: &mut fmt::Formatter<'_>, endpoint: &Path) -> fmt::Result {
    write!(
        f,
        "no process listens on {}, and this process does not start a daemon, because it was itself started as one \
         (BROKERED_LAUNCH is set)",
        endpoint.display()
    )
}

fn no_permission(
    f: &mut fmt::Formatter<'_>,
    endpoint: &Path,
    source: &io::Error,
    refusal: &Refusal,
) -> fmt::Result {
    write!(
        f,
        "no permission to connect to {}: {source}; {refusal}",
        endpoint.display()
    )
}

fn foreign_peer(f: &mut fmt::Formatter<'_>, endpoint: &Path, user: u32) -> fmt::Result {
    write!(
        f,
        "a process of user {user} listens on {}, and this process runs as another user: nothing was sent; set \
         BROKERED_RUNTIME_DIR to a directory that only this user can write to{}",
        endpoint.display(),
        note_on_users(&[user])
    )
}

fn program_not_executable(
    f: &mut fmt::Formatter<'_>,
    program: &Path,
    source: &io::Error,
    refusal: Option<&Refusal>,
) -> fmt::Result {
    write!(
        f,
        "cannot start {}: {source}{}",
        program.display(),
        Advice::new(source, refusal)
            .or("check its permissions, and that it is built for this machine")
    )
}

fn owned_by_systemd(f: &mut fmt::Formatter<'_>, daemon: &str, endpoint: &Path) -> fmt::Result {
    write!(
        f,
        "{daemon} was last started by systemd, which no longer listens on {}: start its socket unit again, or run \
         the daemon's executable once by hand to use it without systemd",
        endpoint.display()
    )
}

fn backlog_full(
    f: &mut fmt::Formatter<'_>,
    endpoint: &Path,
    waited: Duration,
    obstacle: Option<&Obstacle>,
) -> fmt::Result {
    write!(
        f,
        "the daemon on {} does not accept connections: its backlog was full for {}; it is overloaded or hung, \
         so try again later, or examine the daemon",
        endpoint.display(),
        diagnostics::format_duration(waited)
    )?;
    write_obstacle(f, obstacle)
}

fn start_limit(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    starts: u32,
    [within, retry_after]: [Duration; 2],
    last_failure: Option<&Failure>,
) -> fmt::Result {
    write!(
        f,
        "{daemon} was started {starts} times within {} and did not keep running, so it is not started again \
         for {}",
        diagnostics::format_duration(within),
        diagnostics::format_duration(retry_after)
    )?;
    match last_failure {
        Some(failure) => write!(f, "; the last failure: {failure}"),
        None => Ok(()),
    }
}

fn program_missing(f: &mut fmt::Formatter<'_>, daemon: &str, tried: &[PathBuf]) -> fmt::Result {
    write!(f, "no executable for the daemon {daemon}: tried")?;
    for (index, path) in tried.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma} {}", path.display())?;
    }
    write!(
        f,
        "; install it there, or set its path with `Instance::program`"
    )
}

fn lock_held(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    lock: &Path,
    holder: Option<&str>,
    (waited, obstacle): (Duration, Option<&Obstacle>),
) -> fmt::Result {
    write!(
        f,
        "cannot reach {daemon}: its lock {} was held for {} by {}, which does not listen; wait until that \
         process ends, or end it",
        lock.display(),
        diagnostics::format_duration(waited),
        holder.unwrap_or("a process that has not written its record yet")
    )?;
    write_obstacle(f, obstacle)
}

fn slow_start(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    reached: StartStage,
    waited: Duration,
    (log, obstacle): (&Path, Option<&Obstacle>),
) -> fmt::Result {
    write!(
        f,
        "{daemon} did not finish its start-up within {} ({reached}); it is still running, so try again, or \
         allow more time with `Instance::deadline`; its output is in {}",
        diagnostics::format_duration(waited),
        log.display()
    )?;
    write_obstacle(f, obstacle)
}

fn hung(
    f: &mut fmt::Formatter<'_>,
    daemon: &str,
    reached: StartStage,
    waited: Duration,
    (output, log): (&str, &Path),
) -> fmt::Result {
    write!(
        f,
        "{daemon} did not finish its start-up within {} ({reached}) and used no CPU time in the last \
         two seconds, so it was killed",
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
    write!(f, "{daemon} ended during its start-up")?;
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

/// The same text as `Display`: Rust prints an error that `main` returns with `Debug`.
impl fmt::Debug for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for LaunchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text has the text of the inner error, so the next cause is that of the inner error.
            Self::Instance(error) => error.source(),
            Self::Directory(error) => error.source(),
            Self::NotReady(error) => error.source(),
            Self::NoPermission { source, .. }
            | Self::WorkingDirectory { source, .. }
            | Self::Log { source, .. }
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

/// Describes the holder of a lock. `None` for the record of a failure, because its process has ended.
pub(super) fn describe_holder(record: &Record) -> Option<String> {
    (record.phase != Phase::Failed).then(|| describe_process(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: &str = "the cause of the error";

    fn source() -> io::Error {
        io::Error::other(CAUSE)
    }

    fn control() -> ControlError {
        ControlError::Io {
            operation: "send a request to",
            path: PathBuf::new(),
            source: source(),
            refusal: None,
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

    /// A reporter that prints the whole chain of causes would repeat the cause otherwise.
    #[test]
    fn a_chain_of_causes_has_the_text_of_each_cause_once() {
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
            let mut chain = error.to_string();
            let mut next = error.source();
            while let Some(cause) = next {
                chain += &cause.to_string();
                next = cause.source();
            }
            assert_eq!(chain.matches(CAUSE).count(), 1, "{chain}");
        }
    }

    /// The hints for these errors are about the runtime directory.
    #[test]
    #[cfg(unix)]
    fn the_advice_for_a_named_log_is_about_the_log() {
        // EROFS and ENOSPC.
        for number in [30, 28] {
            let text = LaunchError::Log {
                path: PathBuf::from("/logs/words.log"),
                source: io::Error::from_raw_os_error(number),
                refusal: None,
            }
            .to_string();
            assert!(text.starts_with("cannot open the log /logs/words.log: "));
            assert!(
                text.ends_with("choose another file with `Instance::log`"),
                "{text}"
            );
            assert!(!text.contains("BROKERED_RUNTIME_DIR"), "{text}");
        }
    }

    #[test]
    fn every_error_at_the_deadline_is_a_timeout() {
        let waited = Duration::from_secs(1);
        let slow = ControlError::TimedOut {
            phase: None,
            progress: None,
            obstacle: None,
            waited,
        };
        let silent = ControlError::NoAnswer {
            control: PathBuf::new(),
            holder: None,
            obstacle: None,
            waited,
        };
        assert!(LaunchError::NotReady(slow).is_timeout());
        assert!(LaunchError::NotReady(silent).is_timeout());
        assert!(!LaunchError::NotReady(control()).is_timeout());
    }
}
