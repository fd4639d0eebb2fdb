//! Step 1 under a service manager: systemd or launchd holds the endpoint, and passes it.
//!
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>,
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use std::env;
use std::fmt::Write as _;
use std::io;
use std::process;
use std::time::Duration;

use super::error::StartError;
use crate::diagnostics::print;
use crate::handoff::Event;
use crate::platform::{self, Notifier};
use crate::record::Owner;
use crate::{Daemon, IpcListener, Phase};

const LISTEN_PID: &str = "LISTEN_PID";
const LISTEN_FDS: &str = "LISTEN_FDS";
const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG_PID: &str = "WATCHDOG_PID";
const WATCHDOG_USEC: &str = "WATCHDOG_USEC";

/// What a service manager says in the environment, and what nobody but the process that it has started should
/// hear.
const SPOKEN: [&str; 7] = [
    LISTEN_PID,
    LISTEN_FDS,
    LISTEN_FDNAMES,
    "LISTEN_PIDFDID",
    NOTIFY_SOCKET,
    WATCHDOG_PID,
    WATCHDOG_USEC,
];

/// A listener that a service manager has passed.
#[derive(Debug)]
pub(super) struct Activated {
    pub(super) listener: IpcListener,
    pub(super) owner: Owner,
}

/// Whether a service manager has started this process to serve an endpoint that it holds. Nothing is changed
/// by asking.
pub(super) fn is_activated() -> bool {
    passed_by_systemd().is_some() || is_launchds()
}

/// How many listeners systemd has passed, if it has passed some to this process.
fn passed_by_systemd() -> Option<usize> {
    let pid: u32 = env::var(LISTEN_PID).ok()?.parse().ok()?;
    let passed: usize = env::var(LISTEN_FDS).ok()?.parse().ok()?;
    (passed > 0 && pid == process::id()).then_some(passed)
}

/// Takes the listener over. With more than one, it is the one that is called like the daemon
/// (`FileDescriptorName=`), or else the first.
pub(super) fn take_over(daemon: Daemon) -> Result<Activated, StartError> {
    let failed = |problem| StartError::Activation { problem };
    if let Some(passed) = passed_by_systemd() {
        let names = env::var(LISTEN_FDNAMES).unwrap_or_default();
        let place = names
            .split(':')
            .take(passed)
            .position(|name| name == daemon.name())
            .unwrap_or_default();
        return Ok(Activated {
            listener: platform::take_passed_listener(place, passed).map_err(failed)?,
            owner: Owner::Systemd,
        });
    }
    match launchds_listener().map_err(failed)? {
        Some(listener) => Ok(Activated {
            listener,
            owner: Owner::Launchd,
        }),
        None => Err(failed(io::ErrorKind::NotFound.into())),
    }
}

/// Whether launchd has started this process: it names the job in the environment of each.
#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
fn is_launchds() -> bool {
    env::var_os("XPC_SERVICE_NAME").is_some_and(|name| !name.is_empty() && name != "0")
}

/// The check-in with launchd, which nobody has run yet. The socket is called `Listeners` in the property list.
#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
fn launchds_listener() -> io::Result<Option<IpcListener>> {
    platform::take_launchd_listener(c"Listeners")
}

#[cfg(not(all(target_os = "macos", feature = "launchd-experimental")))]
fn is_launchds() -> bool {
    false
}

#[cfg(not(all(target_os = "macos", feature = "launchd-experimental")))]
#[allow(
    clippy::unnecessary_wraps,
    reason = "the doors have one shape on every platform"
)]
fn launchds_listener() -> io::Result<Option<IpcListener>> {
    Ok(None)
}

/// Takes what a service manager says out of the environment, so that no child of the daemon's takes it for its
/// own.
pub(super) fn forget() {
    if SPOKEN.iter().any(|name| env::var_os(name).is_some()) {
        platform::remove_variables(&SPOKEN);
    }
}

/// A service manager that wants to know how the daemon is.
#[derive(Debug)]
pub(crate) struct Manager {
    notifier: Notifier,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names, if it does.
    pub(super) fn from_environment(daemon: Daemon) -> Option<Self> {
        match Notifier::named_by(NOTIFY_SOCKET) {
            Ok(notifier) => notifier.map(|notifier| Self {
                notifier,
                watchdog: watchdog(),
            }),
            Err(error) => {
                print(
                    daemon.name(),
                    format_args!("cannot report to the service manager ({NOTIFY_SOCKET}): {error}"),
                );
                None
            }
        }
    }

    /// How often the manager wants to hear that the daemon is alive.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    pub(super) fn is_alive(&self) {
        self.notifier.tell("WATCHDOG=1");
    }

    /// Tells an event, and the number of the system's error behind a failure, in the manager's words.
    pub(super) fn tell(&self, event: &Event, errno: Option<i32>) {
        let one_line = |text: &str| text.replace('\n', " ");
        let said = match event {
            Event::Bound => format!("STATUS={}", Phase::Bound),
            Event::Status(progress) => format!("STATUS={}", one_line(progress)),
            Event::Ready => format!("READY=1\nSTATUS={}", Phase::Ready),
            Event::Stopping => format!("STOPPING=1\nSTATUS={}", Phase::Draining),
            Event::Failed(why) => {
                let mut said = format!("STATUS={}", one_line(why));
                if let Some(errno) = errno {
                    let _ = write!(said, "\nERRNO={errno}");
                }
                said
            }
            Event::Adopted => return,
        };
        self.notifier.tell(&said);
    }
}

/// Twice within the time after which the manager takes the daemon for dead.
fn watchdog() -> Option<Duration> {
    let for_us = env::var(WATCHDOG_PID)
        .ok()
        .is_none_or(|pid| pid.parse() == Ok(process::id()));
    let microseconds: u64 = env::var(WATCHDOG_USEC).ok()?.parse().ok()?;
    let half = Duration::from_micros(microseconds / 2);
    (for_us && !half.is_zero()).then_some(half)
}
