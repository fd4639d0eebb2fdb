//! Listeners and streams in tokio.

use std::io;
use std::task::{Context, Poll};

use interprocess::local_socket::Stream as IpcStream;
use interprocess::local_socket::tokio::Stream as TokioStream;

use super::accept::{self, AcceptQueue};
use super::pipe::into_handle;
use crate::platform::types::ClientWait;

/// A client's stream in tokio.
pub(crate) type AsyncStream = TokioStream;

pub(crate) fn into_tokio(stream: IpcStream) -> io::Result<TokioStream> {
    let stream = interprocess::os::windows::named_pipe::local_socket::tokio::Stream::try_from(
        into_handle(stream),
    )?;
    Ok(TokioStream::NamedPipe(stream))
}

/// A listener in tokio. The thread of the accept queue wakes the task that waits.
#[derive(Debug)]
pub(crate) struct AsyncListener(AcceptQueue);

impl AsyncListener {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn new(queue: AcceptQueue) -> io::Result<Self> {
        Ok(Self(queue))
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<AsyncStream>> {
        match self.0.next_or_wake(context.waker()) {
            Some(stream) => Poll::Ready(into_tokio(stream)),
            None => Poll::Pending,
        }
    }

    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn client_wait(&self) -> ClientWait {
        Box::new(|_| true)
    }

    pub(crate) fn accept_queued(&self) -> io::Result<AsyncStream> {
        accept::accept(&self.0).and_then(into_tokio)
    }
}

/// Tokio always has a read in progress on a pipe. The bytes that arrive are in its buffer, where nothing can see them.
#[derive(Debug)]
pub(crate) struct StreamProbe;

impl StreamProbe {
    pub(crate) fn of(_stream: &AsyncStream) -> Self {
        Self
    }

    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn has_unread(&self) -> bool {
        false
    }

    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn shut_down_reading(&self) {}
}
