//! [`Idle`]: idle exit. It computes when to end from the end of the last connection, without a timer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Daemon;

/// When the daemon was last in use.
#[derive(Debug)]
pub(super) struct Idle {
    /// `None` if the daemon has no idle exit.
    timeout: Option<Duration>,
    began: Instant,
    /// Milliseconds from `began` to the end of the last connection.
    last_use: AtomicU64,
    /// Whether connections are counted. Otherwise the daemon may be in use at any time.
    is_counted: AtomicBool,
}

impl Idle {
    pub(super) fn new(daemon: Daemon) -> Self {
        let seconds = daemon.idle_exit().map(u64::from);
        Self {
            timeout: seconds.map(Duration::from_secs),
            began: Instant::now(),
            last_use: AtomicU64::new(0),
            is_counted: AtomicBool::new(true),
        }
    }

    /// After how long without connections the daemon ends.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Notes that a connection has ended, or that the daemon is ready.
    pub(super) fn touch(&self) {
        if self.timeout.is_some() {
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last_use.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Sets whether connections are counted. While they are not, the daemon never counts as idle.
    pub(super) fn set_counted(&self, is_counted: bool) {
        self.is_counted.store(is_counted, Ordering::Release);
    }

    /// When to check next whether the daemon is idle: with no open connection, the time of the idle exit.
    pub(super) fn next_check(&self, open: usize) -> Option<Instant> {
        let timeout = self.timeout?;
        if !self.is_counted.load(Ordering::Acquire) {
            return None;
        }
        if open > 0 {
            return Some(Instant::now() + timeout);
        }
        let last_use = Duration::from_millis(self.last_use.load(Ordering::Acquire));
        Some(self.began + last_use + timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_idle_exit_without_a_timeout_or_without_a_count() {
        assert_eq!(Idle::new(Daemon::new("some")).next_check(0), None);
        let idle = Idle::new(Daemon::new("some").idle_exit_secs(1));
        idle.set_counted(false);
        assert_eq!(idle.next_check(0), None);
        idle.set_counted(true);
        let end = idle.next_check(0).expect("an idle exit");
        assert!(idle.next_check(1).expect("a next check") >= end);
    }
}
