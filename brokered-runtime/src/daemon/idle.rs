//! Idle exit: since when nobody was served, without a clock that ticks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Daemon;

/// Since when nobody was served.
#[derive(Debug)]
pub(super) struct Idle {
    after: Option<Duration>,
    began: Instant,
    /// Milliseconds from the beginning to when a connection was closed last.
    latest: AtomicU64,
    /// Whether somebody counts connections.
    counts: AtomicBool,
}

impl Idle {
    pub(super) fn new(daemon: Daemon) -> Self {
        let seconds = daemon.idle_exit().map(u64::from);
        Self {
            after: seconds.map(Duration::from_secs),
            began: Instant::now(),
            latest: AtomicU64::new(0),
            counts: AtomicBool::new(true),
        }
    }

    /// After how long the daemon ends, if it does.
    pub(super) fn after(&self) -> Option<Duration> {
        self.after
    }

    /// A connection is closed, or the daemon has just become ready.
    pub(super) fn touch(&self) {
        if self.after.is_some() {
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.latest.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Whether connections are counted from now on. Where nobody does, nobody knows who is served.
    pub(super) fn set_counts(&self, counts: bool) {
        self.counts.store(counts, Ordering::Release);
    }

    /// When to end, if nothing happens until then. With connections open, that is when to look again.
    pub(super) fn end_at(&self, open: usize) -> Option<Instant> {
        let after = self.after?;
        if !self.counts.load(Ordering::Acquire) {
            return None;
        }
        if open > 0 {
            return Some(Instant::now() + after);
        }
        let latest = Duration::from_millis(self.latest.load(Ordering::Acquire));
        Some(self.began + latest + after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_to_stay_stays() {
        assert_eq!(Idle::new(Daemon::new("some")).end_at(0), None);
        let idle = Idle::new(Daemon::new("some").idle_exit_secs(1));
        idle.set_counts(false);
        assert_eq!(idle.end_at(0), None);
        idle.set_counts(true);
        let end = idle.end_at(0).expect("an end");
        assert!(idle.end_at(1).expect("another look") >= end);
    }
}
