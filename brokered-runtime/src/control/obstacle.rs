//! [`Obstacle`]: what keeps a daemon from answering or from being ready, as far as the system and the daemon tell.

use std::fmt;
use std::path::PathBuf;

use crate::identity::paths::Paths;
use crate::own_daemon;
use crate::platform::{self, Halt};
use crate::record::Record;

/// What keeps a daemon from answering or from being ready, in the errors of calls that have waited for it.
///
/// `Display` says what it is, and what to do.
///
/// ```
/// use brokered_runtime::{ControlError, Daemon, Obstacle};
///
/// const INDEXD: Daemon = Daemon::new("indexd");
///
/// if let Err(ControlError::NoAnswer { obstacle: Some(obstacle), .. }) = INDEXD.status() {
///     if let Obstacle::Stopped { pid } = obstacle {
///         println!("kill -CONT {pid}");
///     }
/// }
/// ```
///
/// # Platform differences
///
/// The states of a process are known on Linux only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The daemon's process is stopped by a signal, such as `SIGSTOP`.
    Stopped {
        /// The process ID.
        pid: u32,
    },
    /// A debugger has stopped the daemon's process.
    Traced {
        /// The process ID.
        pid: u32,
    },
    /// The daemon's process is in a frozen control group: a paused container, or a frozen unit of systemd.
    Frozen {
        /// The process ID.
        pid: u32,
    },
    /// The daemon's load waits for other daemons.
    WaitsFor {
        /// Their instance directories.
        instances: Vec<PathBuf>,
    },
    /// The daemon's load has connected to other daemons, and may wait for a reply.
    ConnectedTo {
        /// Their instance directories.
        instances: Vec<PathBuf>,
    },
    /// The daemon drains, and still serves connections.
    OpenConnections {
        /// Their number.
        number: u64,
    },
    /// The call was made in the daemon's own process, and may wait for itself.
    ThisProcess,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped { pid } => write!(
                f,
                "process {pid} is stopped by a signal; it answers, and ends if it was asked to, once it \
                 continues: `kill -CONT {pid}`"
            ),
            Self::Traced { pid } => write!(
                f,
                "process {pid} is stopped by a debugger, and continues when the debugger lets it"
            ),
            Self::Frozen { pid } => write!(
                f,
                "process {pid} is in a frozen control group, and continues when that is thawed: resume the \
                 container, or `systemctl thaw` its unit"
            ),
            Self::WaitsFor { instances } => {
                f.write_str("its load waits for the daemon of")?;
                write_list(f, instances)
            }
            Self::ConnectedTo { instances } => {
                f.write_str("its load may wait for a reply: it has connected to the daemon of")?;
                write_list(f, instances)
            }
            Self::OpenConnections { number } => write!(
                f,
                "it still serves {number} connections, for at most 10 s after the request to stop"
            ),
            Self::ThisProcess => {
                f.write_str("this process is that daemon, so the call may wait for itself")
            }
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, instances: &[PathBuf]) -> fmt::Result {
    for (index, instance) in instances.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma} {}", instance.display())?;
    }
    Ok(())
}

/// What keeps the daemon that holds the instance lock from answering.
pub(crate) fn of(paths: &Paths) -> Option<Obstacle> {
    if own_daemon::is(paths.directory()) {
        return Some(Obstacle::ThisProcess);
    }
    let record = Record::read(paths)?;
    let process = platform::OtherProcess::open(record.pid).ok()?;
    // Read before the check: should the ID be reused later, the check fails.
    let halt = platform::process_halt(record.pid)?;
    let is_daemon = process
        .identity_mismatch(record.since_boot, paths.directory())
        .is_none();
    is_daemon.then(|| of_process(record.pid, halt))
}

/// What keeps a child of this process from going on.
pub(crate) fn of_child(pid: u32) -> Option<Obstacle> {
    platform::process_halt(pid).map(|halt| of_process(pid, halt))
}

fn of_process(pid: u32, halt: Halt) -> Obstacle {
    match halt {
        Halt::Stopped => Obstacle::Stopped { pid },
        Halt::Traced => Obstacle::Traced { pid },
        Halt::Frozen => Obstacle::Frozen { pid },
    }
}
