//! Pipes in tokio.

use std::io;
use std::task::{Context, Poll};

use interprocess::local_socket::Stream as IpcStream;
use interprocess::local_socket::tokio::Stream as TokioStream;

use super::pipes::{self, AcceptQueue};

/// A stream in tokio.
pub(crate) type AsyncStream = TokioStream;

/// The same connection, for tokio. To be called in its runtime.
pub(crate) fn into_tokio(stream: IpcStream) -> io::Result<TokioStream> {
    let stream = interprocess::os::windows::named_pipe::local_socket::tokio::Stream::try_from(
        pipes::into_handle(stream),
    )?;
    Ok(TokioStream::NamedPipe(stream))
}

/// A listener in tokio: whoever waits is woken by the thread that lets clients in.
#[derive(Debug)]
pub(crate) struct AsyncListener(AcceptQueue);

impl AsyncListener {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn new(listening: AcceptQueue) -> io::Result<Self> {
        Ok(Self(listening))
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<AsyncStream>> {
        match self.0.next_or_wake(context.waker()) {
            Some(stream) => Poll::Ready(into_tokio(stream)),
            None => Poll::Pending,
        }
    }

    /// The next client that has queued. `WouldBlock` if there is none.
    pub(crate) fn accept_queued(&self) -> io::Result<AsyncStream> {
        pipes::accept(&self.0).and_then(into_tokio)
    }
}
