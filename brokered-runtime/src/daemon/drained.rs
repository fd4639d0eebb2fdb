//! [`Drained`]: tells when a server may close its connections without losing a client.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::latch::{Latch, LatchWaiter};

/// Tells when a server may close its connections without losing a client. From
/// [`Handle::drained`](crate::Handle::drained).
///
/// Poll it with [`is_set`](Self::is_set), block with [`wait`](Self::wait), or `.await` it in any executor.
///
/// This is what the graceful shutdown of an HTTP server waits for. Such a server closes at once each connection whose
/// request it has not read yet. At [`Stopping`](crate::Stopping), these are the clients that have just connected.
///
/// # When it is set
///
/// 1. The drain has begun, and new clients are refused.
/// 2. The clients in the backlog are accepted, or nothing accepts any more: `TokioListener::accept` has returned `None`,
///    [`serve`](crate::Bound::serve) or the iterator of [`incoming`](crate::Bound::incoming) has ended, or what accepts
///    was dropped. Under a service manager, the backlog stays for the next process.
/// 3. Each connection of a `TokioListener` is settled: no bytes wait for its reader, and none were read for 200 ms.
///    Bytes that the server does not want to read yet do not count.
///
/// So open connections delay it by 200 ms, and clients that send without a pause by a second. After half of the time that
/// the drain may take (five seconds, or half a second after a failure), it is set in any case.
///
/// When it is set, a connection whose client has sent nothing ends: its reader gets the end of the stream. Otherwise a
/// server on HTTP/2 would wait for the handshake until the drain is cut short.
///
/// With [`serve`](crate::Bound::serve) and [`incoming`](crate::Bound::incoming), only the first two conditions count,
/// because their connections are not observed. After [`into_listener`](crate::Bound::into_listener) the backlog is not
/// observed either, so it is set as soon as new clients are refused.
///
/// # Platform differences
///
/// On Windows, tokio reads before the server asks for bytes. So the daemon cannot see which bytes wait for a reader, and
/// a connection is settled if none were read for 200 ms. Connections whose client has sent nothing stay open.
///
/// # Example
///
/// [`guide::servers`](crate::guide::servers) has complete daemons on axum, hyper and tonic.
///
/// ```no_run
/// # fn daemon(bound: &brokered_runtime::Bound, close_connections: impl FnOnce() + Send + 'static) {
/// let drained = bound.handle().drained();
/// std::thread::spawn(move || {
///     drained.wait();
///     close_connections();
/// });
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Drained(LatchWaiter);

impl Drained {
    pub(super) fn new(latch: &Arc<Latch>) -> Self {
        Self(LatchWaiter::new(latch))
    }

    /// Whether a server may close its connections.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Blocks until a server may close its connections.
    pub fn wait(&self) {
        self.0.wait();
    }
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}
