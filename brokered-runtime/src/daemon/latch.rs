//! [`Latch`]: a flag that is set once. Threads and tasks can wait for it.

use std::future::Future;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A flag that is set once, and the threads and tasks that wait for it.
#[derive(Debug, Default)]
pub(super) struct Latch {
    is_set: AtomicBool,
    tasks: Mutex<Tasks>,
    changed: Condvar,
}

/// Waits for a [`Latch`]: to poll, to block, or to `.await` in any executor.
#[derive(Debug)]
pub(super) struct LatchWaiter {
    latch: Arc<Latch>,
    /// The slot of this future's task in [`Tasks`].
    slot: Option<usize>,
}

/// The tasks that await the flag.
#[derive(Debug, Default)]
struct Tasks {
    wakers: Vec<Option<Waker>>,
    /// The empty places in `wakers`.
    free: Vec<usize>,
}

impl Tasks {
    fn reserve(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.wakers.push(None);
            self.wakers.len() - 1
        })
    }

    /// Replaces the waker at a slot. Does nothing if all tasks have been woken.
    fn replace(&mut self, slot: usize, waker: Waker) -> Option<Waker> {
        self.wakers.get_mut(slot)?.replace(waker)
    }

    fn remove(&mut self, slot: usize) -> Option<Waker> {
        let waker = self.wakers.get_mut(slot)?.take();
        self.free.push(slot);
        waker
    }
}

impl Latch {
    /// Sets the flag. Call [`wake`](Self::wake) next.
    pub(super) fn set(&self) {
        let _tasks = self.tasks();
        self.is_set.store(true, Ordering::Release);
    }

    /// Wakes all threads and tasks.
    pub(super) fn wake(&self) {
        self.changed.notify_all();
        let wakers = mem::take(&mut self.tasks().wakers);
        wake_tasks(wakers.into_iter().flatten());
    }

    /// Whether the flag is set.
    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes tasks. A waker is code of the executor: it must run without a lock held, and its panic is caught.
pub(super) fn wake_tasks(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // Dropping the payload could panic again.
            mem::forget(payload);
        }
    }
}

impl LatchWaiter {
    pub(super) fn new(latch: &Arc<Latch>) -> Self {
        Self {
            latch: Arc::clone(latch),
            slot: None,
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.latch.is_set()
    }

    /// Blocks until the flag is set.
    pub(super) fn wait(&self) {
        let mut tasks = self.latch.tasks();
        while !self.is_set() {
            tasks = self
                .latch
                .changed
                .wait(tasks)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Clone for LatchWaiter {
    fn clone(&self) -> Self {
        Self::new(&self.latch)
    }
}

impl Future for LatchWaiter {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Cloned without the lock held, because a waker is code of the executor.
        let waker = context.waker().clone();
        let latch = Arc::clone(&self.latch);
        let mut tasks = latch.tasks();
        if latch.is_set() {
            return Poll::Ready(());
        }
        let slot = *self.slot.get_or_insert_with(|| tasks.reserve());
        let before = tasks.replace(slot, waker);
        drop(tasks);
        drop(before);
        Poll::Pending
    }
}

impl Drop for LatchWaiter {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            let waker = self.latch.tasks().remove(slot);
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
    fn each_waiter_is_woken_once() {
        let latch = Arc::new(Latch::default());
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut waiter = LatchWaiter::new(&latch);
        assert!(Pin::new(&mut waiter).poll(&mut context).is_pending());
        assert!(Pin::new(&mut waiter).poll(&mut context).is_pending());
        let blocked = thread::spawn({
            let waiter = waiter.clone();
            move || waiter.wait()
        });
        latch.set();
        latch.wake();
        blocked.join().expect("wait returns");
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(Pin::new(&mut waiter).poll(&mut context).is_ready());
    }

    #[test]
    fn a_dropped_future_leaves_no_waker_behind() {
        let latch = Arc::new(Latch::default());
        let waker = Waker::from(Arc::new(Count::default()));
        let mut context = Context::from_waker(&waker);
        for _ in 0..100 {
            let mut waiter = LatchWaiter::new(&latch);
            assert!(Pin::new(&mut waiter).poll(&mut context).is_pending());
        }
        assert!(latch.tasks().wakers.iter().all(Option::is_none));
    }

    #[test]
    fn a_waker_that_polls_again_or_panics_does_not_block_the_others() {
        struct PollsAndPanics(LatchWaiter);
        impl Wake for PollsAndPanics {
            fn wake(self: Arc<Self>) {
                let mut again = self.0.clone();
                let waker = Waker::noop();
                assert!(
                    Pin::new(&mut again)
                        .poll(&mut Context::from_waker(waker))
                        .is_ready()
                );
                panic!("a waker may panic");
            }
        }
        let latch = Arc::new(Latch::default());
        let count = Arc::new(Count::default());
        let mut first = LatchWaiter::new(&latch);
        let mut second = LatchWaiter::new(&latch);
        let panics = Waker::from(Arc::new(PollsAndPanics(first.clone())));
        let counts = Waker::from(Arc::clone(&count));
        assert!(
            Pin::new(&mut first)
                .poll(&mut Context::from_waker(&panics))
                .is_pending()
        );
        assert!(
            Pin::new(&mut second)
                .poll(&mut Context::from_waker(&counts))
                .is_pending()
        );
        latch.set();
        latch.wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
