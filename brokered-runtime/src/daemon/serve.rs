//! Accepting and serving: a bounded number of threads, and errors that end one connection alone.

use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use super::lifecycle::Lifecycle;
use super::run::message_of;
use super::trace;
use crate::IpcStream;
use crate::diagnostics::print;
use crate::platform::{self, AcceptError, AcceptQueue};

/// How many threads wait for clients at a time; those beyond end when their client has gone.
const IDLE_THREADS: usize = 8;

/// How long to wait when descriptors or memory have run out: until somebody has hung up.
const EXHAUSTED: Duration = Duration::from_millis(20);

/// How often a thread is asked for before the threads that there are do without.
const NO_THREAD_ATTEMPTS: u32 = 5;

/// The next client. `None` when the daemon is asked to end and everybody who had connected was accepted.
fn accept(listener: &AcceptQueue, lifecycle: &Lifecycle) -> io::Result<Option<IpcStream>> {
    loop {
        let error = match lifecycle.accept(listener) {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) => error,
        };
        match platform::accept_error(&error) {
            AcceptError::Over if lifecycle.is_stopping() => {
                lifecycle.unlink_endpoint();
                return Ok(None);
            }
            AcceptError::Again => {}
            AcceptError::Exhausted => thread::sleep(EXHAUSTED),
            AcceptError::Over | AcceptError::Broken => return Err(error),
        }
    }
}

/// The clients of a daemon, one by one. From [`Bound::incoming`](crate::Bound::incoming).
#[derive(Debug)]
pub struct Incoming {
    listener: AcceptQueue,
    lifecycle: Arc<Lifecycle>,
}

impl Incoming {
    pub(super) fn new(listener: AcceptQueue, lifecycle: Arc<Lifecycle>) -> Self {
        Self {
            listener,
            lifecycle,
        }
    }
}

impl Iterator for Incoming {
    type Item = IpcStream;

    fn next(&mut self) -> Option<IpcStream> {
        accept(&self.listener, &self.lifecycle).unwrap_or_else(|error| {
            print(
                self.lifecycle.name(),
                format_args!("cannot accept clients: {error}"),
            );
            None
        })
    }
}

/// Serves until the daemon is asked to end.
///
/// Each thread accepts for itself, so no stream is passed between threads: whoever accepts one sees to it
/// that somebody else waits for the next, and serves it.
pub(super) fn serve<F>(
    listener: &AcceptQueue,
    lifecycle: &Arc<Lifecycle>,
    max_connections: usize,
    handler: &F,
) -> io::Result<()>
where
    F: Fn(IpcStream) -> io::Result<()> + Send + Sync,
{
    let service = Service {
        listener,
        lifecycle,
        handler,
        max_threads: max_connections,
        threads: AtomicUsize::new(1),
        waiting: AtomicUsize::new(1),
        broken: Mutex::new(None),
    };
    let _span = trace::serving();
    thread::scope(|scope| service.work(scope));
    let broken = service.broken.into_inner();
    broken
        .unwrap_or_else(PoisonError::into_inner)
        .map_or(Ok(()), Err)
}

struct Service<'a, F> {
    listener: &'a AcceptQueue,
    lifecycle: &'a Lifecycle,
    handler: &'a F,
    max_threads: usize,
    /// How many threads there are, and how many of them wait for a client.
    threads: AtomicUsize,
    waiting: AtomicUsize,
    broken: Mutex<Option<io::Error>>,
}

impl<F> Service<'_, F>
where
    F: Fn(IpcStream) -> io::Result<()> + Send + Sync,
{
    /// A thread's life. It is counted as waiting when it begins.
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
                    *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    break;
                }
            }
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.threads.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts a thread as waiting again, unless enough are. In one step: a thread that is about to leave is
    /// never taken for one that waits.
    fn may_wait(&self) -> bool {
        let room = |waiting: usize| (waiting < IDLE_THREADS).then_some(waiting + 1);
        self.waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .is_ok()
    }

    /// One more thread to wait for clients, if there may be one. If not, clients wait in the backlog
    /// until a thread is free.
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

    /// Whether a thread could be started. A system that has none to give may have one a moment later; if it
    /// has not, the threads that there are serve on.
    fn start_thread<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> bool {
        for attempt in 0..NO_THREAD_ATTEMPTS {
            if attempt > 0 {
                thread::sleep(EXHAUSTED);
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

    /// Serves one client, whose errors and panics end its connection alone. What is said of an error, and how
    /// it and a panic's payload are dropped, is the handler's doing as well.
    fn serve_one(&self, stream: IpcStream) {
        let _span = trace::connection();
        self.lifecycle.open_connection();
        let served = panic::catch_unwind(AssertUnwindSafe(|| {
            if let Err(error) = (self.handler)(stream)
                && !is_hang_up(&error)
            {
                self.lifecycle.report().failed(&error.to_string());
                print(
                    self.lifecycle.name(),
                    format_args!("a connection failed: {error}"),
                );
            }
        }));
        if let Err(payload) = served {
            self.lifecycle
                .report()
                .panicked(message_of(payload.as_ref()));
            mem::forget(payload);
        }
        self.lifecycle.close_connection();
    }
}

/// Whether an error says no more than that the client is gone.
fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    )
}
