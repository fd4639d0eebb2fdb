//! [`Bound`]: the proof that the endpoint is bound, and the listener itself.

use std::io;
use std::sync::Arc;

use super::lifecycle::Lifecycle;
use super::serve::{self, Incoming};
use super::stopping::Stopping;
use crate::platform::{self, AcceptQueue};
use crate::{Instance, IpcListener, IpcStream, Phase};

/// How many connections [`Bound::serve`] serves at once, unless it is told otherwise.
const MAX_CONNECTIONS: usize = 256;

/// The proof that the endpoint is bound and recorded, and the listener itself.
///
/// Only the attribute makes one, and there is one in a process: it has no constructor and no `Clone`.
/// What accepts clients takes it by value, so [`State::load`](crate::State::load), which borrows it,
/// cannot.
#[derive(Debug)]
pub struct Bound {
    /// `None` in what a load in the background is lent: it can't be consumed there.
    listener: Option<AcceptQueue>,
    lifecycle: Arc<Lifecycle>,
    max_connections: usize,
}

/// The one place where a proof is made. A free function: the compiler proposes a `new` to whoever tries to
/// make one up, even a private `new`.
pub(super) fn prove(listener: AcceptQueue, lifecycle: Arc<Lifecycle>) -> Bound {
    Bound {
        listener: Some(listener),
        lifecycle,
        max_connections: MAX_CONNECTIONS,
    }
}

/// The same proof for a load in the background, which only borrows it.
pub(super) fn prove_in_background(lifecycle: Arc<Lifecycle>) -> Bound {
    Bound {
        listener: None,
        lifecycle,
        max_connections: MAX_CONNECTIONS,
    }
}

impl Bound {
    pub(super) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// Which instance this daemon is.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        self.lifecycle.instance()
    }

    /// What can be known and done about the daemon from anywhere in it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.lifecycle))
    }

    /// Says how far the daemon is: `loading 3 of 8 shards`. See [`Handle::set_status`].
    pub fn set_status(&self, progress: &str) {
        self.lifecycle.progress(progress);
    }

    /// Keeps the daemon from being ready for as long as what this returns is held. See
    /// [`Handle::defer_ready`].
    pub fn defer_ready(&self) -> ReadinessGuard {
        ReadinessGuard::of(&self.lifecycle)
    }

    /// How many connections [`serve`](Self::serve) serves at once: 256 if this is not called.
    /// Further clients are connected, and wait in the backlog.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn max_connections(mut self, number: usize) -> Self {
        assert!(
            number > 0,
            "a daemon that serves no connections serves nobody"
        );
        self.max_connections = number;
        self
    }

    /// Serves each client with the handler, until the daemon is asked to end.
    ///
    /// Handlers run beside each other, on threads that are started as they are needed; the calling
    /// thread is one of them. What a handler returns or panics with ends its connection alone; it is
    /// printed, unless it is only that the client has hung up. When the daemon is asked to end, whoever
    /// had connected is still served, and `serve` returns when the last handler has.
    ///
    /// # Errors
    ///
    /// If the listener breaks. Running out of descriptors or memory does not break it.
    ///
    /// # Panics
    ///
    /// Never by a handler's panic, unless the program is built with `panic = "abort"`, where a panic
    /// ends the process.
    pub fn serve<F>(self, handler: F) -> io::Result<()>
    where
        F: Fn(IpcStream) -> io::Result<()> + Send + Sync,
    {
        let max_connections = self.max_connections;
        let (listener, lifecycle) = self.accepting();
        serve::serve(&listener, &lifecycle, max_connections, &handler)
    }

    /// The clients, one by one, for those who write the loop. It ends when the daemon is asked to.
    ///
    /// What is done with a stream's errors is up to the loop: a `?` on one would let any client that
    /// hangs up end the daemon. Hold a [`connection`](Handle::connection) for as long as a stream is
    /// served elsewhere, and the daemon's end waits for it.
    ///
    /// ```no_run
    /// # use std::io::Write;
    /// # fn some(bound: brokered_runtime::Bound) {
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
        let (listener, lifecycle) = self.accepting();
        lifecycle.idle().set_counts(false);
        Incoming::new(listener, lifecycle)
    }

    /// The listener, for an executor or a loop of one's own.
    ///
    /// When the daemon is asked to end, the listener is shut down: its `accept` gives those who had
    /// connected, and then an error (on Linux; elsewhere it stops blocking). A loop that also watches
    /// [`stopping`](Handle::stopping) knows what that error means. One that was made non-blocking says that it
    /// would block instead, and to whoever polls it that there is something to accept: an executor's loop has to
    /// watch [`stopping`](Handle::stopping). (For tokio, the feature `tokio` adds `into_tokio`.) A process that has not ended ten
    /// seconds later is ended.
    ///
    /// On Windows clients are let in from bind on, and a listener has no place for them: whoever has queued before this is
    /// called loses the connection, and connects again.
    ///
    /// A child that is forked without an exec finds `/dev/null` in its place: else the endpoint would outlive
    /// the daemon.
    #[must_use]
    pub fn into_listener(self) -> IpcListener {
        let (listener, lifecycle) = self.accepting();
        lifecycle.idle().set_counts(false);
        lifecycle.hand_off_listener();
        platform::into_listener(listener)
    }

    /// Accepts clients in tokio, whose runtime this is called in, and counts them.
    ///
    /// ```no_run
    /// # use std::io;
    /// use brokered_runtime::{Bound, brokered_daemon};
    /// use tokio::io::AsyncWriteExt as _;
    ///
    /// # async fn some(bound: Bound) -> io::Result<()> {
    /// // Below `#[brokered_daemon("hello")]` and `#[tokio::main]`.
    /// let mut listener = bound.into_tokio()?;
    /// while let Some(mut client) = listener.accept().await? {
    ///     tokio::spawn(async move { client.write_all(b"hello\n").await });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// When `main` returns, what it has spawned ends with the runtime; whoever wants to serve the last clients to
    /// their end waits for their tasks before.
    ///
    /// # Errors
    ///
    /// If the listener can't be registered with the runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime with I/O enabled.
    #[cfg(feature = "tokio")]
    pub fn into_tokio(self) -> io::Result<super::into_tokio::TokioListener> {
        let (listener, lifecycle) = self.accepting();
        super::into_tokio::TokioListener::new(listener, lifecycle)
    }

    /// `main` has come to accept clients.
    fn accepting(self) -> (AcceptQueue, Arc<Lifecycle>) {
        let Some(listener) = self.listener else {
            unreachable!("a load borrows its `Bound`, and what is borrowed can't be consumed");
        };
        self.lifecycle.remove_readiness_blocker();
        (listener, self.lifecycle)
    }
}

/// What can be known and done about the daemon from anywhere in it.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Lifecycle>);

impl Handle {
    /// How far the daemon has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.phase()
    }

    /// Which instance this daemon is.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        self.0.instance()
    }

    /// Asks the daemon to end, as `SIGTERM` does.
    pub fn stop(&self) {
        self.0.request_stop();
    }

    /// Says how far the daemon is, in a line of its own words: `loading 3 of 8 shards`.
    ///
    /// Whoever waits for the daemon to be ready is shown it: a client that has started it, one that asks with
    /// [`Instance::wait_ready`] or [`Instance::status`], a service manager. It costs nobody's time to say this
    /// often: what was not told yet is replaced. The first 1024 bytes are kept.
    pub fn set_status(&self, progress: &str) {
        self.0.progress(progress);
    }

    /// Keeps the daemon from being ready for as long as what this returns is held: for what `main` still has to
    /// do after its states have loaded.
    ///
    /// Without it the daemon is ready once all its states have loaded and `main` has come to accept clients, by
    /// [`Bound::serve`], [`Bound::incoming`] or [`Bound::into_listener`]. A daemon that is ready stays so.
    ///
    /// ```no_run
    /// # fn some(bound: brokered_runtime::Bound, warm_up: fn()) -> std::io::Result<()> {
    /// let not_ready = bound.defer_ready();
    /// std::thread::spawn(move || {
    ///     warm_up();
    ///     drop(not_ready);
    /// });
    /// // Clients are served meanwhile.
    /// bound.serve(|client| Ok(drop(client)))
    /// # }
    /// ```
    pub fn defer_ready(&self) -> ReadinessGuard {
        ReadinessGuard::of(&self.0)
    }

    /// Whether the daemon was asked to end: to poll, to wait on, or to `.await`.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.0.stopping()
    }

    /// Counts a connection, for those who serve one outside of [`Bound::serve`]: the daemon's end waits
    /// until what this returns is dropped.
    pub fn connection(&self) -> ConnectionGuard {
        self.0.idle().set_counts(true);
        ConnectionGuard::of(&self.0)
    }
}

/// A connection that is being served. From [`Handle::connection`].
#[derive(Debug)]
#[must_use = "the connection counts for as long as this is held"]
pub struct ConnectionGuard(Arc<Lifecycle>);

impl ConnectionGuard {
    pub(super) fn of(lifecycle: &Arc<Lifecycle>) -> Self {
        lifecycle.open_connection();
        Self(Arc::clone(lifecycle))
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.close_connection();
    }
}

/// The daemon is not ready yet. From [`Handle::defer_ready`].
#[derive(Debug)]
#[must_use = "the daemon is not ready for as long as this is held"]
pub struct ReadinessGuard(Arc<Lifecycle>);

impl ReadinessGuard {
    pub(super) fn of(lifecycle: &Arc<Lifecycle>) -> Self {
        lifecycle.add_readiness_blocker();
        Self(Arc::clone(lifecycle))
    }
}

impl Drop for ReadinessGuard {
    fn drop(&mut self) {
        // Whoever panics has not done what there was to do.
        if !std::thread::panicking() {
            self.0.remove_readiness_blocker();
        }
    }
}
