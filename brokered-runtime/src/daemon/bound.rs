//! [`Bound`]: the proof that the endpoint is bound, and its listener. `main` accepts clients with it (step 7).

use std::io;
use std::sync::Arc;

use super::guards::{AcceptGuard, ReadinessGuard};
use super::handle::Handle;
use super::incoming::Incoming;
use super::lifecycle::Lifecycle;
use super::serve;
#[cfg(feature = "tokio")]
use super::tokio_listener::TokioListener;
use crate::platform::{self, AcceptQueue};
use crate::{Instance, IpcListener, IpcStream, own_daemon};

/// How many connections [`Bound::serve`] serves at once, by default.
const DEFAULT_MAX_CONNECTIONS: usize = 256;

/// The proof that the endpoint is bound and recorded, and the listener itself.
///
/// Only the attribute makes one, and only one in a process: the type has no public constructor and no `Clone`. The
/// methods that accept clients take it by value. So [`State::load`](crate::State::load), which borrows it, cannot
/// accept clients.
#[derive(Debug)]
pub struct Bound {
    /// `None` for a load in the background, which can only borrow it.
    listener: Option<(AcceptQueue, AcceptGuard)>,
    lifecycle: Arc<Lifecycle>,
    max_connections: usize,
}

/// Makes the proof. It is a free function because the compiler would suggest even a private method `Bound::new` to a
/// user who tries to make a `Bound`.
pub(super) fn new_bound(listener: AcceptQueue, lifecycle: Arc<Lifecycle>) -> Bound {
    let guard = AcceptGuard::of(&lifecycle);
    Bound {
        listener: Some((listener, guard)),
        lifecycle,
        max_connections: DEFAULT_MAX_CONNECTIONS,
    }
}

/// Makes the proof for a load in the background, which only borrows it.
pub(super) fn new_bound_without_listener(lifecycle: Arc<Lifecycle>) -> Bound {
    Bound {
        listener: None,
        lifecycle,
        max_connections: DEFAULT_MAX_CONNECTIONS,
    }
}

impl Bound {
    pub(super) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// The instance that this daemon is.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        self.lifecycle.instance()
    }

    /// A handle on the daemon, which other threads can keep.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.lifecycle))
    }

    /// Sets the progress text, such as `loading 3 of 8 shards`. See [`Handle::set_status`].
    pub fn set_status(&self, progress: &str) {
        self.lifecycle.set_progress(progress);
    }

    /// Keeps the daemon from being ready while the returned guard is held. See [`Handle::defer_ready`].
    pub fn defer_ready(&self) -> ReadinessGuard {
        ReadinessGuard::of(&self.lifecycle)
    }

    /// Limits how many connections [`serve`](Self::serve) serves at once. The default is 256. Further clients are
    /// connected, and wait in the backlog.
    ///
    /// # Panics
    ///
    /// Panics if `number` is 0.
    #[must_use]
    pub fn max_connections(mut self, number: usize) -> Self {
        assert!(number > 0, "`max_connections` must be at least 1");
        self.max_connections = number;
        self
    }

    /// Serves each client with the handler, until the daemon shuts down.
    ///
    /// Handlers run concurrently, on threads that are started on demand; the calling thread is one of them. An error or
    /// a panic of a handler ends only its connection. It is printed and counted, unless the error only says that the
    /// client has disconnected. At a shutdown, the clients that are already connected are served, and `serve` returns
    /// after the last handler.
    ///
    /// ```no_run
    /// # use std::io::Write as _;
    /// # fn daemon(bound: brokered_runtime::Bound) -> std::io::Result<()> {
    /// bound.serve(|mut client| client.write_all(b"hello\n"))
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the listener breaks. If descriptors or memory run out, `serve` waits and continues. When no
    /// descriptor was free for five seconds, it refuses clients until one is: see
    /// [`guide::operation`](crate::guide::operation#descriptors).
    ///
    /// # Panics
    ///
    /// Does not panic. In a program that is built with `panic = "abort"`, a handler's panic ends the process.
    pub fn serve<F>(self, handler: F) -> io::Result<()>
    where
        F: Fn(IpcStream) -> io::Result<()> + Send + Sync,
    {
        let max_connections = self.max_connections;
        let (listener, _guard, lifecycle) = self.accepting();
        serve::serve(&listener, &lifecycle, max_connections, &handler)
    }

    /// An iterator over the clients, for a loop that you write yourself. It ends when the daemon shuts down.
    ///
    /// Handle the errors of a stream inside the loop: with `?`, a client that disconnects would end the daemon. If
    /// another thread serves a stream, hold a [`connection`](Handle::connection) there, so that a shutdown waits for
    /// it. Idle exit needs this count.
    ///
    /// ```no_run
    /// # use std::io::Write;
    /// # fn daemon(bound: brokered_runtime::Bound) {
    /// let handle = bound.handle();
    /// for mut stream in bound.incoming() {
    ///     let connection = handle.connection();
    ///     std::thread::spawn(move || {
    ///         let _ = stream.write_all(b"hello\n");
    ///         drop(connection);
    ///     });
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn incoming(self) -> Incoming {
        let (listener, guard, lifecycle) = self.accepting();
        lifecycle.idle().set_counted(false);
        Incoming::new(listener, guard, lifecycle)
    }

    /// The listener, for an executor or for a loop that you write yourself.
    ///
    /// For tokio, the feature `tokio` adds `into_tokio`, which is simpler.
    ///
    /// # Shutdown
    ///
    /// When the daemon shuts down, the listener is shut down, too. On Linux, `accept` then returns the clients in the
    /// backlog, and after them an error; elsewhere it stops blocking. Check [`stopping`](Handle::stopping) to know what
    /// the error means.
    ///
    /// A listener that a service manager passed cannot be shut down: watch [`stopping`](Handle::stopping).
    ///
    /// A non-blocking listener reports `WouldBlock` instead, while `poll` reports that it is readable. So an executor's
    /// loop must also watch [`stopping`](Handle::stopping).
    ///
    /// The daemon cannot see which clients the listener has accepted. So [`drained`](Handle::drained) is set at once.
    ///
    /// A process that has not ended after ten seconds is ended. Idle exit is off unless
    /// [`connection`](Handle::connection)s are counted.
    ///
    /// # Platform differences
    ///
    /// On Windows, clients connect from bind on, and a listener has no backlog for them. Clients that connected before
    /// this call lose their connection, and have to connect again.
    ///
    /// On Unix, a child that is forked without `exec` has `/dev/null` in place of the listener. Otherwise the endpoint
    /// would outlive the daemon.
    #[must_use]
    pub fn into_listener(self) -> IpcListener {
        let (listener, _guard, lifecycle) = self.accepting();
        lifecycle.idle().set_counted(false);
        lifecycle.set_user_accepts();
        platform::into_listener(listener)
    }

    /// A listener for tokio. It counts its connections for idle exit and for the drain.
    ///
    /// When `main` returns, tokio ends all spawned tasks. To serve the last clients to the end, wait for their tasks
    /// first.
    ///
    /// An HTTP server on this listener must not begin its graceful shutdown at [`stopping`](Handle::stopping): it would
    /// close connections whose requests it has not read. It waits for [`drained`](Handle::drained).
    /// [`guide::servers`](crate::guide::servers) has complete daemons on axum, hyper and tonic.
    ///
    /// ```no_run
    /// # use std::io;
    /// use brokered_runtime::{Bound, brokered_daemon};
    /// use tokio::io::AsyncWriteExt as _;
    ///
    /// # async fn daemon(bound: Bound) -> io::Result<()> {
    /// // Below `#[brokered_daemon("hello")]` and `#[tokio::main]`.
    /// let mut listener = bound.into_tokio()?;
    /// while let Some(mut client) = listener.accept().await? {
    ///     tokio::spawn(async move { client.write_all(b"hello\n").await });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the listener cannot be registered with the runtime.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with I/O enabled.
    #[cfg(feature = "tokio")]
    pub fn into_tokio(self) -> io::Result<TokioListener> {
        let (listener, guard, lifecycle) = self.accepting();
        TokioListener::new(listener, guard, lifecycle)
    }

    /// `main` accepts clients from now on, so it no longer blocks readiness.
    fn accepting(self) -> (AcceptQueue, AcceptGuard, Arc<Lifecycle>) {
        let Some((listener, guard)) = self.listener else {
            unreachable!("a load only borrows its `Bound`");
        };
        own_daemon::set_main_accepts();
        self.lifecycle.remove_readiness_blocker();
        (listener, guard, self.lifecycle)
    }
}
