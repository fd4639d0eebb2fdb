//! [`WaitingClients`]: how many clients of the control endpoint wait for a reply.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

    fn number(&self) -> MutexGuard<'_, usize> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
