//! Step 9: reaps the daemons that this process has started, so that they leave no zombies in it.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::platform::Child;

/// How long a process whose channel is closed may take to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The daemons that this process has started and not yet reaped.
static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// The number of [`CHILDREN`], so that a process without any takes no lock.
static CHILD_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Reaps those that have ended.
pub(super) fn reap() {
    if CHILD_COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut children = lock_children();
    // An error means that the host program has reaped this child itself.
    children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    CHILD_COUNT.store(children.len(), Ordering::Relaxed);
}

fn lock_children() -> MutexGuard<'static, Vec<Child>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A daemon that was just started. Dropping this keeps the daemon running, and leaves it to [`reap`].
#[derive(Debug)]
pub(super) struct ChildGuard(Option<Child>);

impl ChildGuard {
    pub(super) fn new(child: Child) -> Self {
        Self(Some(child))
    }

    /// The exit status of a daemon whose channel is closed. `None` if it does not end within [`EXIT_TIMEOUT`].
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        let child = self.0.as_mut()?;
        let deadline = Instant::now() + EXIT_TIMEOUT;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    self.0 = None;
                    return Some(status);
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
                // The daemon is still running, or the host program has reaped it.
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        reap();
        if let Some(child) = self.0.take() {
            let mut children = lock_children();
            children.push(child);
            CHILD_COUNT.store(children.len(), Ordering::Relaxed);
        }
    }
}
