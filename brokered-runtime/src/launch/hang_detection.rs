//! Telling a daemon that hangs from one that is slow: a slow one uses the processor, or waits for its turn.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::platform::{self, ProcessActivity};

/// For how long a daemon that hangs has not used the processor.
const STILL: Duration = Duration::from_secs(2);

/// Watches one process in the last seconds before a deadline.
#[derive(Debug)]
pub(super) struct HangDetector {
    pid: u32,
    look_at: Instant,
    before: Option<ProcessActivity>,
}

impl HangDetector {
    /// A watch that looks two seconds before the deadline, and at the deadline. A call that is
    /// shorter than that finds everybody slow.
    pub(super) fn new(pid: u32, deadline: &Deadline) -> Self {
        Self {
            pid,
            look_at: deadline.end().checked_sub(STILL).unwrap_or(deadline.end()),
            before: None,
        }
    }

    /// Until when to listen before the next look.
    pub(super) fn listen_until(&self, deadline: &Deadline) -> Instant {
        match self.before {
            None if Instant::now() < self.look_at => self.look_at,
            _ => deadline.end(),
        }
    }

    /// The first look, in time.
    pub(super) fn look(&mut self) {
        if self.before.is_none() {
            self.before = platform::process_activity(self.pid);
        }
    }

    /// Whether the process has slept from the first look until now.
    ///
    /// One that wants to run and isn't let, that waits for a disk, or that somebody has stopped, does not hang.
    pub(super) fn is_hung(&self, deadline: &Deadline) -> bool {
        let slept = |before: &ProcessActivity, now: &ProcessActivity| {
            before.is_asleep && now.is_asleep && before.cpu_time == now.cpu_time
        };
        Instant::now() >= deadline.end()
            && self
                .before
                .as_ref()
                .zip(platform::process_activity(self.pid).as_ref())
                .is_some_and(|(before, now)| slept(before, now))
    }
}
