//! Inspects many instances, of which some may not answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use brokered_runtime::operator::InstanceDirectory;

use super::inspection::{Inspection, State};

/// The most threads, which is the most daemons whose answers are awaited at once.
const MAX_THREADS: usize = 64;

/// The number of daemons from which a second thread is worth its start.
const MANY: usize = 32;

/// The time after which another thread takes over the remaining daemons.
const SLOW: Duration = Duration::from_millis(5);

/// Inspects all of them. The results are in the same order.
pub(crate) fn inspect_all(instances: &[InstanceDirectory], timeout: Duration) -> Vec<Inspection> {
    let pool = Pool {
        instances,
        timeout,
        next: AtomicUsize::new(0),
        threads: AtomicUsize::new(1),
        results: Mutex::new(Vec::with_capacity(instances.len())),
    };
    thread::scope(|scope| {
        // While one thread waits for a reply, the other parses one.
        if instances.len() >= MANY {
            pool.add_thread(scope);
        }
        pool.run(scope);
    });
    let mut results = pool.results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The threads. A daemon that answers does so at once, so that one or two threads are the fastest. For each daemon
/// that does not, one more thread continues with the rest.
struct Pool<'a> {
    instances: &'a [InstanceDirectory],
    timeout: Duration,
    next: AtomicUsize,
    threads: AtomicUsize,
    results: Mutex<Vec<(usize, Inspection)>>,
}

impl Pool<'_> {
    fn run<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(instance) = self.instances.get(index) else {
                return;
            };
            let first_timeout = SLOW.min(self.timeout);
            let mut result = Inspection::new(instance.clone(), first_timeout);
            if matches!(result.state, State::Unresponsive(_)) && first_timeout < self.timeout {
                self.add_thread(scope);
                result = Inspection::new(instance.clone(), self.timeout);
            }
            if let Ok(mut results) = self.results.lock() {
                results.push((index, result));
            }
        }
    }

    /// Starts one more thread, up to the limit. With fewer threads the inspection is slower, and still correct.
    fn add_thread<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        if self.threads.fetch_add(1, Ordering::Relaxed) < MAX_THREADS {
            let _ = thread::Builder::new().spawn_scoped(scope, || self.run(scope));
        }
    }
}
