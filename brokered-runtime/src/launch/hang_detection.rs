//! [`HangDetector`]: tells a hung daemon from a slow one.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::platform::{self, ProcessActivity};

/// For how long before the deadline a hung daemon has used no CPU time.
const HANG_INTERVAL: Duration = Duration::from_secs(2);

/// Samples the activity of one process at the beginning and at the end of the last two seconds before a deadline.
#[derive(Debug)]
pub(super) struct HangDetector {
    pid: u32,
    first_sample_at: Instant,
    first_sample: Option<ProcessActivity>,
}

impl HangDetector {
    /// If the deadline is less than two seconds away, there is no first sample, and no process counts as hung.
    pub(super) fn new(pid: u32, deadline: &Deadline) -> Self {
        let end = deadline.end();
        Self {
            pid,
            first_sample_at: end.checked_sub(HANG_INTERVAL).unwrap_or(end),
            first_sample: None,
        }
    }

    /// Until when the caller may wait for events before it takes the next sample.
    pub(super) fn wait_until(&self, deadline: &Deadline) -> Instant {
        match self.first_sample {
            None if Instant::now() < self.first_sample_at => self.first_sample_at,
            _ => deadline.end(),
        }
    }

    pub(super) fn take_first_sample(&mut self) {
        if self.first_sample.is_none() {
            self.first_sample = platform::process_activity(self.pid);
        }
    }

    /// Whether the process has slept from the first sample until now.
    ///
    /// A process that waits for the processor or for a disk, or that is stopped, is not hung.
    pub(super) fn is_hung(&self, deadline: &Deadline) -> bool {
        let slept = |before: &ProcessActivity, now: &ProcessActivity| {
            before.is_asleep && now.is_asleep && before.cpu_time == now.cpu_time
        };
        Instant::now() >= deadline.end()
            && self
                .first_sample
                .as_ref()
                .zip(platform::process_activity(self.pid).as_ref())
                .is_some_and(|(before, now)| slept(before, now))
    }
}
