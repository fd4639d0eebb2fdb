//! [`OpenConnections`]: how many connections are open, and the wait for their end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The number of open connections, and the drain that waits for them.
#[derive(Debug, Default)]
pub(super) struct OpenConnections {
    number: AtomicUsize,
    drain: Mutex<Drain>,
    /// Notified when no connection is open any more, and when the drain is cut short.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Drain {
    main_has_returned: bool,
    is_cut_short: bool,
}

impl OpenConnections {
    pub(super) fn number(&self) -> usize {
        self.number.load(Ordering::Acquire)
    }

    pub(super) fn open(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn close(&self) {
        if self.number.fetch_sub(1, Ordering::AcqRel) == 1 {
            // A thread that has just read the number holds the mutex until it waits. It must not miss the notification.
            drop(self.drain());
            self.drained.notify_all();
        }
    }

    /// Waits until no connection is open, or the drain is cut short. `main` has returned.
    pub(super) fn wait(&self) {
        let mut drain = self.drain();
        drain.main_has_returned = true;
        while self.number() > 0 && !drain.is_cut_short {
            drain = self
                .drained
                .wait(drain)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Cuts the drain short, and returns whether `main` has returned and now ends the process itself.
    pub(super) fn cut_short(&self) -> bool {
        let mut drain = self.drain();
        drain.is_cut_short = true;
        self.drained.notify_all();
        drain.main_has_returned
    }

    fn drain(&self) -> MutexGuard<'_, Drain> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_drain_ends_with_the_last_connection_or_when_it_is_cut_short() {
        let connections = OpenConnections::default();
        connections.open();
        connections.open();
        thread::scope(|scope| {
            let waits = scope.spawn(|| connections.wait());
            connections.close();
            connections.close();
            waits.join().expect("the wait ends");
        });
        connections.open();
        assert!(connections.cut_short(), "main has returned before");
        connections.wait();
        assert_eq!(connections.number(), 1);
    }
}
