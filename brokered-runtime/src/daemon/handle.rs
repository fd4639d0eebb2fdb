//! [`Handle`]: what any thread of the daemon can ask and do.

use std::sync::Arc;

use super::drained::Drained;
use super::guards::{ConnectionGuard, ReadinessGuard};
use super::lifecycle::Lifecycle;
use super::reload::Reloads;
use super::stopping::Stopping;
use crate::{Instance, Phase};

/// A handle on the daemon for any of its threads. From [`Bound::handle`](crate::Bound::handle).
///
/// ```no_run
/// # fn daemon(bound: brokered_runtime::Bound) {
/// let handle = bound.handle();
/// std::thread::spawn(move || {
///     handle.set_status("loading 3 of 8 shards");
///     // On a fatal error:
///     handle.stop();
/// });
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Handle(Arc<Lifecycle>);

impl Handle {
    pub(super) fn new(lifecycle: Arc<Lifecycle>) -> Self {
        Self(lifecycle)
    }

    /// The phase that the daemon is in.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.phase()
    }

    /// The instance that this daemon is.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        self.0.instance()
    }

    /// Requests a graceful shutdown, as `SIGTERM` does. Returns at once.
    pub fn stop(&self) {
        self.0.request_stop();
    }

    /// Sets the progress text: a line such as `loading 3 of 8 shards`.
    ///
    /// It is shown to the client that started the daemon, to clients that call [`Instance::wait_ready`] or
    /// [`Instance::status`], and to the service manager. You can call this often, because a new text replaces one that
    /// has not been sent yet. The first 1024 bytes are kept.
    pub fn set_status(&self, progress: &str) {
        self.0.set_progress(progress);
    }

    /// Keeps the daemon from being ready while the returned guard is held: for work that `main` does after its states
    /// have loaded.
    ///
    /// Without a guard, the daemon is ready once its states have loaded and `main` accepts clients, by
    /// [`Bound::serve`](crate::Bound::serve), [`Bound::incoming`](crate::Bound::incoming) or
    /// [`Bound::into_listener`](crate::Bound::into_listener). A daemon that is ready stays ready.
    ///
    /// ```no_run
    /// # fn daemon(bound: brokered_runtime::Bound, warm_up: fn()) -> std::io::Result<()> {
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

    /// Tells when the daemon shuts down: to poll, to wait for, or to `.await`.
    ///
    /// It is too early for the graceful shutdown of an HTTP server: clients that have just connected would be reset. Use
    /// [`drained`](Self::drained) there.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.0.stopping()
    }

    /// Tells when a server may close its connections without losing a client: to poll, to wait for, or to `.await`.
    ///
    /// Pass it to the graceful shutdown of axum, hyper or tonic. [`guide::servers`](crate::guide::servers) shows how, and
    /// [`Drained`] says when it is set. Call it before the shutdown if possible: what it waits for is observed only
    /// while a `Drained` exists.
    #[must_use]
    pub fn drained(&self) -> Drained {
        self.0.drained()
    }

    /// The requests to reload, from `SIGHUP`, a service manager, [`Instance::reload`] or `brokered reload`: to poll, to
    /// wait for, or to `.await`. While the returned value exists, the daemon takes reloads.
    ///
    /// Call it before [`Bound::serve`](crate::Bound::serve): a request that arrives when the daemon is ready, and does
    /// not take reloads yet, is not kept.
    pub fn reloads(&self) -> Reloads {
        Reloads::of(&self.0)
    }

    /// Counts a connection that is served outside of [`Bound::serve`](crate::Bound::serve). Until the returned guard is
    /// dropped, a shutdown waits for it, and the daemon is not idle.
    pub fn connection(&self) -> ConnectionGuard {
        self.0.idle().set_counted(true);
        ConnectionGuard::of(&self.0)
    }
}
