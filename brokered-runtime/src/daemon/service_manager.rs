//! [`ServiceManager`]: service manager notifications on `$NOTIFY_SOCKET`, and the watchdog.
//!
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use std::env;
use std::fmt::Write as _;
use std::process;
use std::time::Duration;

use crate::diagnostics::print;
use crate::handoff::Event;
use crate::platform::{self, Notifier};
use crate::{Daemon, Phase};

pub(super) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
pub(super) const WATCHDOG_PID: &str = "WATCHDOG_PID";
pub(super) const WATCHDOG_USEC: &str = "WATCHDOG_USEC";

/// A service manager that asked for notifications.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    notifier: Notifier,
    watchdog_interval: Option<Duration>,
}

impl ServiceManager {
    /// The service manager that the environment names, if any.
    pub(super) fn from_environment(daemon: Daemon) -> Option<Self> {
        match Notifier::from_variable(NOTIFY_SOCKET) {
            Ok(notifier) => notifier.map(|notifier| Self {
                notifier,
                watchdog_interval: watchdog_interval(),
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

    /// How often the watchdog expects a notification, if there is a watchdog.
    pub(super) fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog_interval
    }

    /// Notifies the watchdog.
    pub(super) fn notify_watchdog(&self) {
        self.notifier.notify("WATCHDOG=1");
    }

    /// Reports that a reload has begun. With `Type=notify-reload`, systemd compares the time with that of its signal, so
    /// that the report of an earlier reload does not count.
    pub(super) fn notify_reloading(&self) {
        let now = platform::monotonic_time().as_micros();
        self.notifier.notify(&format!(
            "RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reloading"
        ));
    }

    /// Reports that a reload has ended, and how. There is no report of a failed reload.
    pub(super) fn notify_reloaded(&self, result: &str) {
        self.notifier
            .notify(&format!("READY=1\nSTATUS={}", one_line(result)));
    }

    /// Reports an event. A failure carries the error number of the system call behind it, if there is one.
    pub(super) fn notify(&self, event: &Event, errno: Option<i32>) {
        let message = match event {
            Event::Bound => format!("STATUS={}", Phase::Bound),
            Event::Status(progress) => format!("STATUS={}", one_line(progress)),
            Event::Ready => format!("READY=1\nSTATUS={}", Phase::Ready),
            Event::Stopping => format!("STOPPING=1\nSTATUS={}", Phase::Draining),
            Event::Failed(reason) => {
                let mut message = format!("STATUS={}", one_line(reason));
                if let Some(errno) = errno {
                    let _ = write!(message, "\nERRNO={errno}");
                }
                message
            }
            Event::Adopted => return,
        };
        self.notifier.notify(&message);
    }
}

/// A line ends a variable of a notification.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// Half of the watchdog's timeout, as systemd recommends.
fn watchdog_interval() -> Option<Duration> {
    let is_for_this_process = env::var(WATCHDOG_PID)
        .ok()
        .is_none_or(|pid| pid.parse() == Ok(process::id()));
    let microseconds: u64 = env::var(WATCHDOG_USEC).ok()?.parse().ok()?;
    let half = Duration::from_micros(microseconds / 2);
    (is_for_this_process && !half.is_zero()).then_some(half)
}
