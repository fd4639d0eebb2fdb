//! [`Bound::serve`](crate::Bound::serve): serves clients on a limited number of threads.

use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

use super::incoming::{EXHAUSTED_PAUSE, accept};
use super::lifecycle::Lifecycle;
use super::thread_role::ThreadRole;
use super::trace;
use crate::IpcStream;
use crate::diagnostics::{panic_message, print};
use crate::platform::AcceptQueue;

/// How many threads wait for clients at a time. Further threads end after their connection.
const MAX_IDLE_THREADS: usize = 8;

/// How often to try to start a thread before the existing threads serve alone.
const MAX_THREAD_ATTEMPTS: u32 = 5;

/// Serves until the daemon shuts down.
///
/// No stream is passed between threads: a thread that accepts a client first makes sure that another thread waits for
/// the next one, and then serves its own.
pub(super) fn serve<F>(
    listener: &AcceptQueue,
    lifecycle: &Arc<Lifecycle>,
    max_connections: usize,
    handler: &F,
) -> io::Result<()>
where
    F: Fn(IpcStream) -> io::Result<()> + Send + Sync,
{
    lifecycle.report().set_connections_limit(max_connections);
    let pool = ThreadPool {
        listener,
        lifecycle,
        handler,
        max_threads: max_connections,
        threads: AtomicUsize::new(1),
        waiting: AtomicUsize::new(1),
        listener_error: Mutex::new(None),
    };
    let _span = trace::serving();
    thread::scope(|scope| pool.work(scope));
    let error = pool.listener_error.into_inner();
    error
        .unwrap_or_else(PoisonError::into_inner)
        .map_or(Ok(()), Err)
}

/// The threads that serve clients.
struct ThreadPool<'a, F> {
    listener: &'a AcceptQueue,
    lifecycle: &'a Lifecycle,
    handler: &'a F,
    max_threads: usize,
    /// How many threads exist.
    threads: AtomicUsize,
    /// How many of them wait for a client.
    waiting: AtomicUsize,
    /// Why the listener broke.
    listener_error: Mutex<Option<io::Error>>,
}

impl<F> ThreadPool<'_, F>
where
    F: Fn(IpcStream) -> io::Result<()> + Send + Sync,
{
    /// What each thread does. The thread is already counted as waiting.
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        loop {
            match accept(self.listener, self.lifecycle) {
                Ok(Some(stream)) => {
                    if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                        self.add_thread(scope);
                    }
                    self.serve_one(stream);
                    if !self.may_wait() {
                        self.threads.fetch_sub(1, Ordering::AcqRel);
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    *self
                        .listener_error
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner) = Some(error);
                    break;
                }
            }
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.threads.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts a thread as waiting again, unless enough threads wait. This is one atomic step, so a thread that is about
    /// to end never counts as waiting.
    fn may_wait(&self) -> bool {
        let room = |waiting: usize| (waiting < MAX_IDLE_THREADS).then_some(waiting + 1);
        self.waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .is_ok()
    }

    /// Adds a thread that waits for clients, within the limit. At the limit, clients wait in the backlog.
    fn add_thread<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let room = |threads: usize| (threads < self.max_threads).then_some(threads + 1);
        let added = self
            .threads
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room);
        if added.is_err() {
            return;
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        if !self.start_thread(scope) {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.threads.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Starts a thread, and returns whether that succeeded. A shortage of threads is often short, so it tries several
    /// times.
    fn start_thread<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> bool {
        for attempt in 0..MAX_THREAD_ATTEMPTS {
            if attempt > 0 {
                thread::sleep(EXHAUSTED_PAUSE);
            }
            let started = thread::Builder::new()
                .name(self.lifecycle.name().to_owned())
                .spawn_scoped(scope, || self.work(scope));
            if started.is_ok() {
                return true;
            }
        }
        false
    }

    /// Serves one client. Its error or panic ends only its connection.
    ///
    /// The error's `Display` and `Drop` are code of the user, too, so they run inside of `catch_unwind`.
    fn serve_one(&self, stream: IpcStream) {
        let _span = trace::connection();
        let _role = ThreadRole::Handler.enter();
        self.lifecycle.open_connection();
        let served = panic::catch_unwind(AssertUnwindSafe(|| {
            if let Err(error) = (self.handler)(stream)
                && !is_disconnect(&error)
            {
                self.lifecycle.report().add_error(&error.to_string());
                print(
                    self.lifecycle.name(),
                    format_args!("a connection failed: {error}"),
                );
            }
        }));
        if let Err(payload) = served {
            self.lifecycle
                .report()
                .add_panic(panic_message(payload.as_ref()));
            // Dropping the payload could panic again.
            mem::forget(payload);
        }
        self.lifecycle.close_connection();
    }
}

/// Whether an error only says that the client has disconnected.
fn is_disconnect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    )
}
