//! [`Backoff`]: pauses between attempts, which grow with each attempt.

use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;

/// The pauses between attempts: short at first, because another process may be about to bind or to release its lock.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    const FIRST_PAUSE: Duration = Duration::from_micros(100);
    /// A pause below this one is doubled. After that, all pauses are [`Self::LAST_PAUSE`].
    const DOUBLING_LIMIT: Duration = Duration::from_millis(2);
    const LAST_PAUSE: Duration = Duration::from_millis(20);

    pub(crate) fn new() -> Self {
        Self(Self::FIRST_PAUSE)
    }

    /// Sleeps until the next attempt, but not beyond the deadline.
    pub(crate) fn pause(&mut self, deadline: &Deadline) {
        thread::sleep(self.0.min(deadline.remaining()));
        self.0 = if self.0 < Self::DOUBLING_LIMIT {
            self.0 * 2
        } else {
            Self::LAST_PAUSE
        };
    }
}
