//! Listeners and streams in tokio.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::task::{Context, Poll};

use interprocess::local_socket::tokio::Stream as TokioStream;
use interprocess::local_socket::{Listener as IpcListener, Stream as IpcStream};

use super::accept::AcceptQueue;
use super::descriptor_reserve::is_readable;
use super::descriptors::unread;
use crate::platform::types::ClientWait;

/// A client's stream in tokio.
pub(crate) type AsyncStream = tokio::net::UnixStream;

pub(crate) fn into_tokio(stream: IpcStream) -> io::Result<TokioStream> {
    let IpcStream::UdSocket(stream) = stream;
    let stream = UnixStream::from(OwnedFd::from(stream));
    stream.set_nonblocking(true)?;
    let stream =
        interprocess::os::unix::uds_local_socket::tokio::Stream::try_from(OwnedFd::from(stream))?;
    Ok(TokioStream::UdSocket(stream))
}

/// A listener in tokio.
#[derive(Debug)]
pub(crate) struct AsyncListener {
    listener: tokio::net::UnixListener,
    /// A second descriptor of the same listener, for accepting without tokio.
    copy: Arc<UnixListener>,
}

impl AsyncListener {
    pub(crate) fn new(queue: AcceptQueue) -> io::Result<Self> {
        let IpcListener::UdSocket(listener) = queue;
        let listener = UnixListener::from(OwnedFd::from(listener));
        listener.set_nonblocking(true)?;
        Ok(Self {
            copy: Arc::new(listener.try_clone()?),
            listener: tokio::net::UnixListener::from_std(listener)?,
        })
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<AsyncStream>> {
        self.listener
            .poll_accept(context)
            .map_ok(|(stream, _address)| stream)
    }

    pub(crate) fn client_wait(&self) -> ClientWait {
        let listener = Arc::clone(&self.copy);
        Box::new(move |timeout| is_readable(&listener, timeout))
    }

    pub(crate) fn accept_queued(&self) -> io::Result<AsyncStream> {
        let (stream, _) = self.copy.accept()?;
        stream.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(stream)
    }
}

/// The descriptor of a stream.
#[derive(Debug)]
pub(crate) struct StreamProbe(RawFd);

impl StreamProbe {
    pub(crate) fn of(stream: &AsyncStream) -> Self {
        Self(stream.as_raw_fd())
    }

    pub(crate) fn has_unread(&self) -> bool {
        unread(self.0).is_ok_and(|bytes| bytes > 0)
    }

    pub(crate) fn shut_down_reading(&self) {
        // SAFETY: `shutdown` takes integers. If the socket is already closed, it fails.
        unsafe { libc::shutdown(self.0, libc::SHUT_RD) };
    }
}
