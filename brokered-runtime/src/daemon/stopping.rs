//! [`Stopping`]: the daemon was asked to end. To poll, to wait on, or to `.await`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Whether the daemon was asked to end: to poll, to wait on, or to `.await` in any executor.
///
/// From [`Handle::stopping`](crate::Handle::stopping).
///
/// ```no_run
/// # fn some(bound: &brokered_runtime::Bound, mut work: impl FnMut()) {
/// let stopping = bound.handle().stopping();
/// while !stopping.is_set() {
///     work();
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Stopping(pub(super) Arc<StopState>);

/// What all clones share.
#[derive(Debug, Default)]
pub(super) struct StopState {
    set: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
    changed: Condvar,
}

impl StopState {
    /// Sets it, for good, and wakes everybody.
    pub(super) fn set(&self) {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        self.set.store(true, Ordering::Release);
        self.changed.notify_all();
        for waker in wakers.drain(..) {
            waker.wake();
        }
    }

    /// Whether it is set.
    pub(super) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }
}

impl Stopping {
    /// Whether the daemon was asked to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Blocks until the daemon is asked to end.
    pub fn wait(&self) {
        let mut guard = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_set() {
            guard = self
                .0
                .changed
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_set() {
            return Poll::Ready(());
        }
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // Once more, now that `set` cannot come between.
        if self.is_set() {
            return Poll::Ready(());
        }
        if !wakers.iter().any(|known| known.will_wake(context.waker())) {
            wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::thread;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_waits_is_woken_once() {
        let state = Arc::new(StopState::default());
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut stopping = Stopping(Arc::clone(&state));
        assert!(Pin::new(&mut stopping).poll(&mut context).is_pending());
        assert!(Pin::new(&mut stopping).poll(&mut context).is_pending());
        let blocked = thread::spawn({
            let stopping = stopping.clone();
            move || stopping.wait()
        });
        state.set();
        blocked.join().expect("wait returns");
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(Pin::new(&mut stopping).poll(&mut context).is_ready());
    }
}
