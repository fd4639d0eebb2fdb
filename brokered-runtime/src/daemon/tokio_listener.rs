//! [`TokioListener`] and [`TokioStream`]: accept clients in tokio, and count their connections.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guards::{AcceptGuard, ConnectionGuard};
use super::lifecycle::Lifecycle;
use super::tracked_streams::StreamState;
use crate::platform::{self, AcceptError, AcceptQueue, AsyncListener, AsyncStream, StreamProbe};

/// Accepts the clients of a daemon in tokio. From [`Bound::into_tokio`](crate::Bound::into_tokio).
#[derive(Debug)]
pub struct TokioListener {
    listener: AsyncListener,
    _guard: AcceptGuard,
    lifecycle: Arc<Lifecycle>,
}

impl TokioListener {
    pub(super) fn new(
        listener: AcceptQueue,
        guard: AcceptGuard,
        lifecycle: Arc<Lifecycle>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: AsyncListener::new(listener)?,
            _guard: guard,
            lifecycle,
        })
    }

    /// Accepts the next client. Returns `None` once the daemon shuts down and all clients in the backlog were accepted.
    ///
    /// The method is cancel safe: if `select!` drops the future, no client is lost.
    ///
    /// # Errors
    ///
    /// Returns an error if the listener breaks, or if descriptors run out. In the second case you can call it again.
    pub async fn accept(&mut self) -> io::Result<Option<TokioStream>> {
        let mut refuses_new_clients = pin!(self.lifecycle.refuses_new_clients());
        let accepted = poll_fn(|context| match refuses_new_clients.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(self.accept_queued()),
            Poll::Pending => self.poll_accept(context),
        })
        .await?;
        if accepted.is_none() {
            self.lifecycle.unlink_endpoint();
            self.lifecycle.settling().set_accept_ended();
        }
        Ok(accepted)
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Option<TokioStream>>> {
        loop {
            let Poll::Ready(accepted) = self.listener.poll_accept(context) else {
                return Poll::Pending;
            };
            match accepted {
                Ok(stream) => return Poll::Ready(Ok(Some(self.count(stream)))),
                Err(error) if platform::accept_error(&error) == AcceptError::Retry => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Accepts a client from the backlog. Tokio cannot do this after the shutdown of the listener: `poll` reports it as
    /// readable, and `accept` reports `WouldBlock`, forever.
    fn accept_queued(&self) -> io::Result<Option<TokioStream>> {
        if self.lifecycle.is_shared() {
            // The service manager passes the listener, with its backlog, to the next daemon.
            return Ok(None);
        }
        loop {
            match self.listener.accept_queued() {
                Ok(stream) => return Ok(Some(self.count(stream))),
                Err(error) => match platform::accept_error(&error) {
                    AcceptError::ShutDown => return Ok(None),
                    AcceptError::Retry => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn count(&self, stream: AsyncStream) -> TokioStream {
        TokioStream {
            tracked: TrackedStream {
                state: self
                    .lifecycle
                    .settling()
                    .streams()
                    .add(StreamProbe::of(&stream)),
                lifecycle: Arc::clone(&self.lifecycle),
            },
            stream,
            _connection: ConnectionGuard::of(&self.lifecycle),
        }
    }
}

/// A connection to a client in tokio. It counts as open until it is dropped.
///
/// If the daemon has called [`Handle::drained`](crate::Handle::drained), and the client has sent nothing by the time that
/// this is set, a read finds the end of the stream.
#[derive(Debug)]
pub struct TokioStream {
    /// Declared first, because it must be dropped before the stream that it observes.
    tracked: TrackedStream,
    stream: AsyncStream,
    _connection: ConnectionGuard,
}

/// Tells a drain what the reader of a stream does.
#[derive(Debug)]
struct TrackedStream {
    state: StreamState,
    lifecycle: Arc<Lifecycle>,
}

impl Drop for TrackedStream {
    fn drop(&mut self) {
        self.lifecycle.settling().streams().remove(&self.state);
    }
}

impl AsyncRead for TokioStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.tracked.state.begin_read();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match read {
            Poll::Ready(_) => self.tracked.state.end_read(),
            Poll::Pending => self.tracked.state.wait(),
        }
        read
    }
}

impl AsyncWrite for TokioStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
