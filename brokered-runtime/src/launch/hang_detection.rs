//! Telling a daemon that hangs from one that is slow: a slow one uses the processor, or waits for its turn.

use std::time::{Duration, Instant};

use super::clock::Clock;
use crate::platform::{self, Glimpse};

/// For how long a daemon that hangs has not used the processor.
const STILL: Duration = Duration::from_secs(2);

/// Watches one process in the last seconds before a deadline.
#[derive(Debug)]
pub(super) struct HangWatch {
    pid: u32,
    look_at: Instant,
    before: Option<Glimpse>,
}

impl HangWatch {
    /// A watch that looks two seconds before the deadline, and at the deadline. A call that is
    /// shorter than that finds everybody slow.
    pub(super) fn new(pid: u32, clock: &Clock) -> Self {
        Self {
            pid,
            look_at: clock.deadline.checked_sub(STILL).unwrap_or(clock.deadline),
            before: None,
        }
    }

    /// Until when to listen before the next look.
    pub(super) fn listen_until(&self, clock: &Clock) -> Instant {
        match self.before {
            None if Instant::now() < self.look_at => self.look_at,
            _ => clock.deadline,
        }
    }

    /// The first look, in time.
    pub(super) fn look(&mut self) {
        if self.before.is_none() {
            self.before = platform::glimpse(self.pid);
        }
    }

    /// Whether the process has slept from the first look until now.
    ///
    /// One that wants to run and isn't let, that waits for a disk, or that somebody has stopped, does not hang.
    pub(super) fn is_hung(&self, clock: &Clock) -> bool {
        let slept = |before: &Glimpse, now: &Glimpse| {
            before.is_asleep && now.is_asleep && before.cpu_time == now.cpu_time
        };
        Instant::now() >= clock.deadline
            && self
                .before
                .as_ref()
                .zip(platform::glimpse(self.pid).as_ref())
                .is_some_and(|(before, now)| slept(before, now))
    }
}
