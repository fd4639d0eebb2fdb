//! The pauses between attempts to connect.

use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;

/// Pauses between attempts: short while somebody else is about to bind, longer when it takes its time.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_micros(100);
    const DOUBLED_UP_TO: Duration = Duration::from_millis(2);
    const LAST: Duration = Duration::from_millis(20);

    pub(super) fn new() -> Self {
        Self(Self::FIRST)
    }

    /// Pauses, and not beyond the deadline.
    pub(super) fn pause(&mut self, deadline: &Deadline) {
        thread::sleep(self.0.min(deadline.remaining()));
        self.0 = if self.0 < Self::DOUBLED_UP_TO {
            self.0 * 2
        } else {
            Self::LAST
        };
    }
}
