//! Which daemon this executable serves when it is started as one.

use std::sync::OnceLock;

use super::daemon::Daemon;

/// The daemon of an executable that is both the command line and the daemon.
static DAEMON: OnceLock<Daemon> = OnceLock::new();

/// Records that this executable is also the daemon. Called in the role of the command line.
pub(crate) fn set_daemon_of_this_executable(daemon: Daemon) {
    let _ = DAEMON.set(daemon);
}

/// Whether this executable is also this daemon.
pub(crate) fn is_served_by_this_executable(daemon: Daemon) -> bool {
    DAEMON.get() == Some(&daemon)
}
