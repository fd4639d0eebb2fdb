//! [`ConnectionGuard`], [`ReadinessGuard`] and [`AcceptGuard`]: values that count while they are held.

use std::sync::Arc;
use std::thread;

use super::lifecycle::Lifecycle;

/// An open connection. From [`Handle::connection`](crate::Handle::connection).
#[derive(Debug)]
#[must_use = "the connection counts only while this guard is held"]
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

/// A readiness blocker. From [`Handle::defer_ready`](crate::Handle::defer_ready).
///
/// A guard that is dropped by a panic keeps blocking: the work that it stands for was not done.
#[derive(Debug)]
#[must_use = "the daemon can become ready as soon as this guard is dropped"]
pub struct ReadinessGuard(Arc<Lifecycle>);

impl ReadinessGuard {
    pub(super) fn of(lifecycle: &Arc<Lifecycle>) -> Self {
        lifecycle.add_readiness_blocker();
        Self(Arc::clone(lifecycle))
    }
}

impl Drop for ReadinessGuard {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.0.remove_readiness_blocker();
        }
    }
}

/// Is held by what accepts clients. Once it is dropped, no client is accepted any more.
#[derive(Debug)]
pub(super) struct AcceptGuard(Arc<Lifecycle>);

impl AcceptGuard {
    pub(super) fn of(lifecycle: &Arc<Lifecycle>) -> Self {
        Self(Arc::clone(lifecycle))
    }
}

impl Drop for AcceptGuard {
    fn drop(&mut self) {
        self.0.settling().set_accept_ended();
    }
}
