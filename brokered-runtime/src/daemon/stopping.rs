//! [`Stopping`]: tells when the daemon shuts down.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::latch::{Latch, LatchWaiter};

/// Tells when the daemon shuts down. From [`Handle::stopping`](crate::Handle::stopping).
///
/// Poll it with [`is_set`](Self::is_set), block with [`wait`](Self::wait), or `.await` it in any executor.
///
/// ```no_run
/// # fn daemon(bound: &brokered_runtime::Bound, mut work: impl FnMut()) {
/// let stopping = bound.handle().stopping();
/// while !stopping.is_set() {
///     work();
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Stopping(LatchWaiter);

impl Stopping {
    pub(super) fn new(latch: &Arc<Latch>) -> Self {
        Self(LatchWaiter::new(latch))
    }

    /// Whether the daemon is shutting down.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Blocks until the daemon shuts down.
    pub fn wait(&self) {
        self.0.wait();
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}
