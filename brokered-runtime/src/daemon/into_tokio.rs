//! [`Bound::into_tokio`](crate::Bound::into_tokio): accepting in tokio, and counting what is accepted.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bound::ConnectionGuard;
use super::lifecycle::Lifecycle;
use crate::platform::{self, AcceptError, AcceptQueue, AsyncListener, AsyncStream};

/// Accepts a daemon's clients in tokio. From [`Bound::into_tokio`](crate::Bound::into_tokio).
#[derive(Debug)]
pub struct TokioListener {
    listener: AsyncListener,
    lifecycle: Arc<Lifecycle>,
}

impl TokioListener {
    pub(super) fn new(listener: AcceptQueue, lifecycle: Arc<Lifecycle>) -> io::Result<Self> {
        Ok(Self {
            listener: AsyncListener::new(listener)?,
            lifecycle,
        })
    }

    /// The next client. `None` when the daemon was asked to end and everybody who had connected was accepted.
    ///
    /// It can be dropped before it is done, in a `select!`, and no client is lost.
    ///
    /// # Errors
    ///
    /// If the listener breaks. Running out of descriptors is an error, too, after which accepting can go on.
    pub async fn accept(&mut self) -> io::Result<Option<TokioStream>> {
        let mut refusing = pin!(self.lifecycle.refusing());
        let accepted = poll_fn(|context| match refusing.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(self.accept_queued()),
            Poll::Pending => self.poll_accept(context),
        })
        .await?;
        if accepted.is_none() {
            self.lifecycle.unlink_endpoint();
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
                Err(error) if platform::accept_error(&error) == AcceptError::Again => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Those who had queued. A listener that is shut down does not tell tokio that nobody comes any more: it says
    /// that there is something to accept, and that it would block, for ever.
    fn accept_queued(&self) -> io::Result<Option<TokioStream>> {
        if self.lifecycle.is_shared() {
            // They are for the next process to which the listener is passed.
            return Ok(None);
        }
        loop {
            match self.listener.accept_queued() {
                Ok(stream) => return Ok(Some(self.count(stream))),
                Err(error) => match platform::accept_error(&error) {
                    AcceptError::Over => return Ok(None),
                    AcceptError::Again => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn count(&self, stream: AsyncStream) -> TokioStream {
        TokioStream {
            stream,
            _connection: ConnectionGuard::of(&self.lifecycle),
        }
    }
}

/// A client's connection in tokio, which counts as being served until it is dropped.
#[derive(Debug)]
pub struct TokioStream {
    stream: AsyncStream,
    _connection: ConnectionGuard,
}

impl AsyncRead for TokioStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
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
