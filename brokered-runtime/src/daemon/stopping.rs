//! [`Stopping`]: the daemon was asked to end. To poll, to wait on, or to `.await`.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
#[derive(Debug)]
pub struct Stopping {
    state: Arc<StopState>,
    /// Under which the task that awaits this is kept.
    key: Option<u64>,
}

/// What all who wait share.
#[derive(Debug, Default)]
pub(super) struct StopState {
    set: AtomicBool,
    tasks: Mutex<Tasks>,
    changed: Condvar,
}

/// The tasks that await the end.
#[derive(Debug, Default)]
struct Tasks {
    wakers: BTreeMap<u64, Waker>,
    next_key: u64,
}

impl StopState {
    /// Sets it, for good. Nobody is woken yet.
    pub(super) fn set(&self) {
        let _tasks = self.tasks();
        self.set.store(true, Ordering::Release);
    }

    /// Wakes everybody. An executor's waker is foreign code: it runs with nothing locked, and its panic is
    /// its own.
    pub(super) fn wake(&self) {
        self.changed.notify_all();
        let wakers = mem::take(&mut self.tasks().wakers);
        for waker in wakers.into_values() {
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                // Dropping it could panic once more.
                mem::forget(payload);
            }
        }
    }

    /// Whether it is set.
    pub(super) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stopping {
    pub(super) fn of(state: &Arc<StopState>) -> Self {
        Self {
            state: Arc::clone(state),
            key: None,
        }
    }

    /// Whether the daemon was asked to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.state.is_set()
    }

    /// Blocks until the daemon is asked to end.
    pub fn wait(&self) {
        let mut tasks = self.state.tasks();
        while !self.is_set() {
            tasks = self
                .state
                .changed
                .wait(tasks)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Clone for Stopping {
    fn clone(&self) -> Self {
        Self::of(&self.state)
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Cloned outside of the lock, as it is foreign code.
        let waker = context.waker().clone();
        let state = Arc::clone(&self.state);
        let mut tasks = state.tasks();
        if state.is_set() {
            return Poll::Ready(());
        }
        let key = *self.key.get_or_insert_with(|| {
            tasks.next_key += 1;
            tasks.next_key
        });
        let before = tasks.wakers.insert(key, waker);
        drop(tasks);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.state.tasks().wakers.remove(&key);
            drop(waker);
        }
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
        let mut stopping = Stopping::of(&state);
        assert!(Pin::new(&mut stopping).poll(&mut context).is_pending());
        assert!(Pin::new(&mut stopping).poll(&mut context).is_pending());
        let blocked = thread::spawn({
            let stopping = stopping.clone();
            move || stopping.wait()
        });
        state.set();
        state.wake();
        blocked.join().expect("wait returns");
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(Pin::new(&mut stopping).poll(&mut context).is_ready());
    }

    #[test]
    fn whoever_has_lost_interest_is_forgotten() {
        let state = Arc::new(StopState::default());
        let waker = Waker::from(Arc::new(Count::default()));
        let mut context = Context::from_waker(&waker);
        for _ in 0..100 {
            let mut stopping = Stopping::of(&state);
            assert!(Pin::new(&mut stopping).poll(&mut context).is_pending());
        }
        assert!(state.tasks().wakers.is_empty());
    }

    #[test]
    fn a_waker_that_looks_again_or_panics_holds_nobody_up() {
        struct Looks(Stopping);
        impl Wake for Looks {
            fn wake(self: Arc<Self>) {
                let mut again = self.0.clone();
                let waker = Waker::noop();
                assert!(
                    Pin::new(&mut again)
                        .poll(&mut Context::from_waker(waker))
                        .is_ready()
                );
                panic!("as a waker may");
            }
        }
        let state = Arc::new(StopState::default());
        let count = Arc::new(Count::default());
        let mut first = Stopping::of(&state);
        let mut second = Stopping::of(&state);
        let looks = Waker::from(Arc::new(Looks(first.clone())));
        let counts = Waker::from(Arc::clone(&count));
        assert!(
            Pin::new(&mut first)
                .poll(&mut Context::from_waker(&looks))
                .is_pending()
        );
        assert!(
            Pin::new(&mut second)
                .poll(&mut Context::from_waker(&counts))
                .is_pending()
        );
        state.set();
        state.wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
