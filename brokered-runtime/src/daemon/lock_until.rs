//! [`lock_until`]: a mutex that the calling thread may hold itself.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Locks a mutex, or gives up at the deadline. For a panic hook: the panicking thread may hold any mutex.
pub(super) fn lock_until<T>(mutex: &Mutex<T>, deadline: Instant) -> Option<MutexGuard<'_, T>> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return None,
            Err(TryLockError::WouldBlock) => thread::sleep(POLL_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutex_that_this_thread_holds_is_given_up_at_the_deadline() {
        let mutex = Mutex::new(1);
        let held = mutex.lock().expect("a new mutex");
        let began = Instant::now();
        let deadline = began + Duration::from_millis(20);
        assert!(lock_until(&mutex, deadline).is_none());
        assert!(began.elapsed() >= Duration::from_millis(20));
        drop(held);
        assert_eq!(lock_until(&mutex, began).as_deref(), Some(&1));
    }
}
