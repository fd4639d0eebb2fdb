//! One deadline for a whole call, and the pauses in it.

use std::thread;
use std::time::{Duration, Instant};

/// When a call began, and when it must have ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: Instant,
    pub(super) deadline: Instant,
}

impl Clock {
    pub(super) fn start(patience: Duration) -> Self {
        let began = Instant::now();
        // A patience beyond what a clock can hold is a year.
        let far = || began + Duration::from_secs(365 * 86_400);
        Self {
            began,
            deadline: began.checked_add(patience).unwrap_or_else(far),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub(super) fn waited(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Pauses between attempts: short while somebody else is about to bind, longer when it takes its time.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Pause {
    const FIRST: Duration = Duration::from_micros(100);
    const DOUBLED_UP_TO: Duration = Duration::from_millis(2);
    const LAST: Duration = Duration::from_millis(20);

    pub(super) fn new() -> Self {
        Self(Self::FIRST)
    }

    /// Pauses, and not beyond the deadline.
    pub(super) fn pause(&mut self, clock: &Clock) {
        let left = clock.deadline.saturating_duration_since(Instant::now());
        thread::sleep(self.0.min(left));
        self.0 = if self.0 < Self::DOUBLED_UP_TO {
            self.0 * 2
        } else {
            Self::LAST
        };
    }
}
