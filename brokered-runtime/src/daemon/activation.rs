//! Step 1 under a service manager: socket activation. systemd or launchd has bound the endpoint, and passes it.
//!
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>

use std::env;
use std::io;
use std::process;

use super::error::StartError;
use super::service_manager::{NOTIFY_SOCKET, WATCHDOG_PID, WATCHDOG_USEC};
use crate::platform;
use crate::record::Owner;
use crate::{Daemon, IpcListener};

const LISTEN_PID: &str = "LISTEN_PID";
const LISTEN_FDS: &str = "LISTEN_FDS";
const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";

/// The environment variables of a service manager. They are meant for this process and not for its children.
const VARIABLES: [&str; 7] = [
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

/// Whether a service manager has started this process and passed it a listener. The check changes nothing.
pub(super) fn is_activated() -> bool {
    systemd_listeners().is_some() || is_launchd_job()
}

/// How many listeners systemd has passed to this process, if any.
fn systemd_listeners() -> Option<usize> {
    let pid: u32 = env::var(LISTEN_PID).ok()?.parse().ok()?;
    let passed: usize = env::var(LISTEN_FDS).ok()?.parse().ok()?;
    (passed > 0 && pid == process::id()).then_some(passed)
}

/// Adopts the listener. Of several, it is the one with the daemon's name (`FileDescriptorName=`), or else the first.
pub(super) fn adopt_listener(daemon: Daemon) -> Result<Activated, StartError> {
    let failed = |source| StartError::Activation { source };
    if let Some(passed) = systemd_listeners() {
        let names = env::var(LISTEN_FDNAMES).unwrap_or_default();
        let index = names
            .split(':')
            .take(passed)
            .position(|name| name == daemon.name())
            .unwrap_or_default();
        return Ok(Activated {
            listener: platform::take_passed_listener(index, passed).map_err(failed)?,
            owner: Owner::Systemd,
        });
    }
    match launchd_listener().map_err(failed)? {
        Some(listener) => Ok(Activated {
            listener,
            owner: Owner::Launchd,
        }),
        None => Err(failed(io::ErrorKind::NotFound.into())),
    }
}

/// Whether launchd has started this process. It sets this variable for each of its jobs.
#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
fn is_launchd_job() -> bool {
    env::var_os("XPC_SERVICE_NAME").is_some_and(|name| !name.is_empty() && name != "0")
}

/// The listener of the property list's key `Listeners`. This check-in with launchd has never been run.
#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
fn launchd_listener() -> io::Result<Option<IpcListener>> {
    platform::take_launchd_listener(c"Listeners")
}

#[cfg(not(all(target_os = "macos", feature = "launchd-experimental")))]
fn is_launchd_job() -> bool {
    false
}

#[cfg(not(all(target_os = "macos", feature = "launchd-experimental")))]
#[allow(
    clippy::unnecessary_wraps,
    reason = "the signature is that of the function on macOS"
)]
fn launchd_listener() -> io::Result<Option<IpcListener>> {
    Ok(None)
}

/// Removes the service manager's variables from the environment, so that no child process takes them for its own.
pub(super) fn remove_variables() {
    if VARIABLES.iter().any(|name| env::var_os(name).is_some()) {
        platform::remove_environment_variables(&VARIABLES);
    }
}
