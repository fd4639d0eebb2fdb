//! [`Deadline`]: one deadline for a whole call, which each step of the call receives.

use std::time::{Duration, Instant};

/// When a call began, and when it must return.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    began: Instant,
    end: Instant,
}

impl Deadline {
    /// A deadline this long from now.
    pub(crate) fn after(timeout: Duration) -> Self {
        let began = Instant::now();
        // `Instant` cannot hold every duration. A year is long enough for any call.
        let far = || began + Duration::from_secs(365 * 86_400);
        Self {
            began,
            end: began.checked_add(timeout).unwrap_or_else(far),
        }
    }

    /// The same call, with a deadline no later than `timeout` from now.
    pub(crate) fn at_most(self, timeout: Duration) -> Self {
        Self {
            began: self.began,
            end: self.end.min(Instant::now() + timeout),
        }
    }

    /// When the call must return.
    pub(crate) fn end(&self) -> Instant {
        self.end
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// The time that is left; zero once the deadline has passed.
    pub(crate) fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// How long the call has taken so far.
    pub(crate) fn waited(&self) -> Duration {
        self.began.elapsed()
    }
}
