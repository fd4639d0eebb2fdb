//! [`Reloads`] and [`Reload`]: the requests to reload, and the work on one of them.

use std::fmt;
use std::future;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use super::lifecycle::Lifecycle;
use super::reload_queue::ReceiverSlot;

/// The requests to reload: to take over what has changed, such as a configuration, while the daemon runs. From
/// [`Handle::reloads`](crate::Handle::reloads).
///
/// Poll it with [`try_next`](Self::try_next), block with [`wait`](Self::wait), or `.await` [`next`](Self::next) in any
/// executor. Each returns a [`Reload`]; dropping it reports that the reload is done.
///
/// ```no_run
/// # struct Config;
/// # impl Config { fn read() -> Result<Self, String> { Ok(Self) } fn replace(&mut self, by: Self) { *self = by; } }
/// # fn daemon(bound: brokered_runtime::Bound) -> std::io::Result<()> {
/// // Before the configuration is read, so that no change is missed.
/// let mut reloads = bound.handle().reloads();
/// # fn lock() -> Config { Config }
/// std::thread::spawn(move || {
///     while let Some(reload) = reloads.wait() {
///         match Config::read() {
///             Ok(new) => lock().replace(new),
///             Err(reason) => reload.refuse(reason),
///         }
///     }
/// });
/// bound.serve(|client| Ok(drop(client)))
/// # }
/// ```
///
/// # Who requests a reload
///
/// - `SIGHUP`, unless the daemon was started by hand on a terminal: then the signal means that the terminal was closed,
///   and begins a graceful shutdown.
/// - A service manager, such as systemd with `systemctl reload`.
/// - A client or an operator: [`Instance::reload`](crate::Instance::reload) and `brokered reload`.
///
/// # Which requests are seen
///
/// Reloads happen one after the other. Any number of requests that arrive during a reload lead to one more, which begins
/// after it: no change is missed. A request that arrives before the daemon is ready is kept until it is.
///
/// # Several parts of a daemon
///
/// Each `Reloads`, also each clone, receives each reload that begins while it exists. A reload is done when all of them
/// have dropped their [`Reload`]. So drop a `Reloads` that you do not wait on: otherwise no reload ends.
///
/// A daemon without a `Reloads` does not take reloads. It goes on, and the requester gets the error
/// [`ControlError::ReloadsNotTaken`](crate::ControlError::ReloadsNotTaken).
#[derive(Debug)]
#[must_use = "the daemon takes reloads only while a `Reloads` exists, and each one must be waited on"]
pub struct Reloads {
    lifecycle: Arc<Lifecycle>,
    slot: ReceiverSlot,
}

impl Reloads {
    pub(super) fn of(lifecycle: &Arc<Lifecycle>) -> Self {
        Self {
            lifecycle: Arc::clone(lifecycle),
            slot: lifecycle.reloads().add_receiver(),
        }
    }

    /// The next reload, if one was requested. Returns at once.
    ///
    /// For a loop that does other work, too. It cannot tell the end of the daemon: see
    /// [`Stopping::is_set`](crate::Stopping::is_set).
    pub fn try_next(&mut self) -> Option<Reload> {
        match self.lifecycle.reloads().try_take(self.slot) {
            Poll::Ready(true) => Some(Reload::of(&self.lifecycle)),
            Poll::Ready(false) | Poll::Pending => None,
        }
    }

    /// The next reload. Blocks until one is requested. `None` once the daemon shuts down.
    pub fn wait(&mut self) -> Option<Reload> {
        let taken = self.lifecycle.reloads().wait(self.slot);
        taken.then(|| Reload::of(&self.lifecycle))
    }

    /// The next reload. `None` once the daemon shuts down.
    ///
    /// Works in any executor. A future that is dropped early loses no request, so it can be a branch of a `select!`.
    ///
    /// ```no_run
    /// # async fn daemon(bound: brokered_runtime::Bound, read: impl Fn() -> Result<(), String>) {
    /// let mut reloads = bound.handle().reloads();
    /// while let Some(reload) = reloads.next().await {
    ///     if let Err(reason) = read() {
    ///         reload.refuse(reason);
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Reload> {
        let queue = self.lifecycle.reloads();
        let taken = future::poll_fn(|context| queue.poll_take(self.slot, context)).await;
        taken.then(|| Reload::of(&self.lifecycle))
    }
}

impl Clone for Reloads {
    /// Receives the reloads that begin from now on.
    fn clone(&self) -> Self {
        Self::of(&self.lifecycle)
    }
}

impl Drop for Reloads {
    fn drop(&mut self) {
        self.lifecycle.reloads().remove_receiver(self.slot);
        self.lifecycle.wake_for_reload();
    }
}

/// A reload that is under way. From [`Reloads`].
///
/// Dropping it reports that this part of the reload is done: to the service manager, and to the clients that wait for it.
/// [`refuse`](Self::refuse) reports that it is not. A reload that is dropped by a panic counts as refused.
#[derive(Debug)]
#[must_use = "dropping this reports that the reload is done"]
pub struct Reload {
    lifecycle: Arc<Lifecycle>,
    refusal: Option<String>,
}

impl Reload {
    fn of(lifecycle: &Arc<Lifecycle>) -> Self {
        Self {
            lifecycle: Arc::clone(lifecycle),
            refusal: None,
        }
    }

    /// Reports that what has changed was refused, and that the daemon goes on with what it had: for example because the
    /// configuration is not valid.
    ///
    /// The reason is printed, and reaches the service manager (`STATUS=`) and the clients that wait. If several parts of
    /// the daemon refuse, the first reason counts. The first 1024 bytes are kept.
    pub fn refuse(mut self, reason: impl fmt::Display) {
        self.refusal = Some(reason.to_string());
    }
}

impl Drop for Reload {
    fn drop(&mut self) {
        let panicked = || thread::panicking().then_some("the reload panicked");
        let refusal = self.refusal.as_deref().or_else(panicked);
        self.lifecycle.end_part_of_reload(refusal);
    }
}
