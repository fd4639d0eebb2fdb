//! [`Starter`]: reports events to the launcher and to the service manager.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lock_until::lock_until;
use super::service_manager::ServiceManager;
use crate::handoff::Event;
use crate::platform::Channel;

/// The processes that started the daemon and want to know how far it is.
#[derive(Debug)]
pub(super) struct Starter {
    /// `None` once the daemon is ready, and once the launcher has ended.
    launcher: Mutex<Option<Channel>>,
    service_manager: Option<ServiceManager>,
}

impl Starter {
    pub(super) fn new(launcher: Option<Channel>, service_manager: Option<ServiceManager>) -> Self {
        Self {
            launcher: Mutex::new(launcher),
            service_manager,
        }
    }

    /// Reports an event. A failure carries the error number of the system call behind it, if there is one.
    pub(super) fn notify(&self, event: &Event, errno: Option<i32>) {
        self.notify_service_manager(event, errno);
        let mut launcher = self.launcher();
        if launcher
            .as_ref()
            .is_some_and(|channel| channel.send_line(&event.to_line()).is_err())
        {
            *launcher = None;
        }
    }

    /// Reports an event before a panic ends the process. The panicking thread may hold the mutex, so this waits for it
    /// only until the deadline.
    pub(super) fn notify_until(&self, event: &Event, errno: Option<i32>, deadline: Instant) {
        self.notify_service_manager(event, errno);
        if let Some(launcher) = lock_until(&self.launcher, deadline)
            && let Some(channel) = launcher.as_ref()
        {
            let _ = channel.send_line(&event.to_line());
        }
    }

    /// Reports progress. It does not wait for a launcher that does not read: later events matter more.
    pub(super) fn notify_progress(&self, progress: &str, errno: Option<i32>) {
        let event = Event::Status(progress.to_owned());
        self.notify_service_manager(&event, errno);
        if let Some(channel) = self.launcher().as_ref() {
            channel.try_send_line(&event.to_line());
        }
    }

    /// Closes the channel to the launcher, which waits for nothing more.
    pub(super) fn close_channel(&self) {
        self.launcher().take();
    }

    /// How often the service manager's watchdog expects a notification.
    pub(super) fn watchdog_interval(&self) -> Option<Duration> {
        let service_manager = self.service_manager.as_ref();
        service_manager.and_then(ServiceManager::watchdog_interval)
    }

    pub(super) fn notify_watchdog(&self) {
        if let Some(service_manager) = &self.service_manager {
            service_manager.notify_watchdog();
        }
    }

    /// Reports to the service manager that a reload has begun.
    pub(super) fn notify_reloading(&self) {
        if let Some(service_manager) = &self.service_manager {
            service_manager.notify_reloading();
        }
    }

    /// Reports to the service manager that a reload has ended, and how.
    pub(super) fn notify_reloaded(&self, result: &str) {
        if let Some(service_manager) = &self.service_manager {
            service_manager.notify_reloaded(result);
        }
    }

    fn notify_service_manager(&self, event: &Event, errno: Option<i32>) {
        if let Some(service_manager) = &self.service_manager {
            service_manager.notify(event, errno);
        }
    }

    fn launcher(&self) -> MutexGuard<'_, Option<Channel>> {
        self.launcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
