//! The daemons that this process has started: its children, whom somebody has to ask for in the end.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::platform::Child;

/// Children that went on living. Asking for them now and then leaves no zombies in the host program.
static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// How many there are, so that whoever has started nothing pays nothing.
static REMEMBERED: AtomicUsize = AtomicUsize::new(0);

/// Asks for those that have ended.
pub(super) fn reap() {
    if REMEMBERED.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut children = children();
    // An error means that the host program has asked for this one itself.
    children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    REMEMBERED.store(children.len(), Ordering::Relaxed);
}

fn children() -> MutexGuard<'static, Vec<Child>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A daemon that was just started. When this is dropped, the daemon goes on, and is remembered.
#[derive(Debug)]
pub(super) struct ChildGuard(Option<Child>);

impl ChildGuard {
    pub(super) fn new(child: Child) -> Self {
        Self(Some(child))
    }

    /// How it has ended, if it does so within a second: its channel is closed, so it is about to.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        let child = self.0.as_mut()?;
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    self.0 = None;
                    return Some(status);
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                // Still there, or the host program takes its children's statuses for itself.
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        reap();
        if let Some(child) = self.0.take() {
            let mut children = children();
            children.push(child);
            REMEMBERED.store(children.len(), Ordering::Relaxed);
        }
    }
}
