//! [`WaitingClients`]: how many clients of the control endpoint wait for a reply.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::lock_until::lock_until;

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The number of clients that wait for readiness or for the end. The supervisor thread serves them.
#[derive(Debug, Default)]
pub(super) struct WaitingClients {
    number: Mutex<usize>,
    changed: Condvar,
}

impl WaitingClients {
    pub(super) fn set(&self, number: usize) {
        let mut current = self.number();
        if *current != number {
            *current = number;
            self.changed.notify_all();
        }
    }

    /// Waits until no client waits, or the timeout has passed.
    pub(super) fn wait_for_none(&self, timeout: Duration) {
        let waited = self
            .changed
            .wait_timeout_while(self.number(), timeout, |number| *number > 0);
        drop(waited);
    }

    /// The same before a panic ends the process, without a lock that the panicking thread may hold.
    pub(super) fn wait_for_none_until(&self, deadline: Instant) {
        while lock_until(&self.number, deadline).is_some_and(|number| *number > 0)
            && Instant::now() < deadline
        {
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn number(&self) -> MutexGuard<'_, usize> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
