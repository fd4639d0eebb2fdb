//! [`TokioListener`] and [`TokioStream`]: accept clients in tokio, and count their connections.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::descriptor_reserve::WithoutDescriptor;
use super::guards::{AcceptGuard, ConnectionGuard};
use super::incoming::{CLIENT_TIMEOUT, EXHAUSTED_PAUSE, print_refusal};
use super::lifecycle::Lifecycle;
use super::tracked_streams::StreamState;
use crate::platform::{self, AcceptError, AcceptQueue, AsyncListener, AsyncStream, StreamProbe};

/// How many clients are refused in one poll. Other tasks must run, too: one of them may free a descriptor.
const MAX_REFUSALS: u32 = 16;

/// Accepts the clients of a daemon in tokio. From [`Bound::into_tokio`](crate::Bound::into_tokio).
#[derive(Debug)]
pub struct TokioListener {
    listener: AsyncListener,
    pause: Arc<Pause>,
    _guard: AcceptGuard,
    lifecycle: Arc<Lifecycle>,
}

/// A pause of the task that accepts, while no descriptor is free.
#[derive(Debug, Default)]
struct Pause {
    /// Whether a thread waits for its end.
    is_running: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Pause {
    fn set_waker(&self, waker: &Waker) {
        let waker = Some(waker.clone());
        let before = mem::replace(&mut *self.waker(), waker);
        // Dropped without the lock held, because a waker is code of the executor.
        drop(before);
    }

    fn end(&self) {
        // First, so that a poll from now on begins another pause.
        self.is_running.store(false, Ordering::Release);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokioListener {
    pub(super) fn new(
        listener: AcceptQueue,
        guard: AcceptGuard,
        lifecycle: Arc<Lifecycle>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: AsyncListener::new(listener)?,
            pause: Arc::default(),
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
    /// Returns an error if the listener breaks. If descriptors or memory run out, it waits and continues, as
    /// [`serve`](crate::Bound::serve) does.
    pub async fn accept(&mut self) -> io::Result<Option<TokioStream>> {
        let mut refuses_new_clients = pin!(self.lifecycle.refuses_new_clients());
        let accepted = poll_fn(|context| match refuses_new_clients.as_mut().poll(context) {
            Poll::Ready(()) => self.poll_accept_queued(context),
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
            if self.lifecycle.descriptors().comes_first() {
                return match self.accept_without_descriptor() {
                    Poll::Ready(accepted) => Poll::Ready(Ok(accepted)),
                    Poll::Pending => self.wake_after_pause(context),
                };
            }
            let Poll::Ready(accepted) = self.listener.poll_accept(context) else {
                return Poll::Pending;
            };
            match accepted {
                Ok(stream) => {
                    self.lifecycle.descriptors().on_accepted();
                    return Poll::Ready(Ok(Some(self.count(stream))));
                }
                Err(error) => match platform::accept_error(&error) {
                    AcceptError::Retry => {}
                    AcceptError::Exhausted => return self.poll_exhausted(context, &error),
                    AcceptError::ShutDown | AcceptError::Broken => {
                        return Poll::Ready(Err(error));
                    }
                },
            }
        }
    }

    /// `accept` has failed for lack of descriptors or memory.
    fn poll_exhausted(
        &self,
        context: &Context<'_>,
        error: &io::Error,
    ) -> Poll<io::Result<Option<TokioStream>>> {
        if platform::is_out_of_descriptors(error)
            && let Poll::Ready(accepted) = self.accept_without_descriptor()
        {
            return Poll::Ready(Ok(accepted));
        }
        self.wake_after_pause(context)
    }

    /// Accepts with the reserve, if no descriptor was free for long or the daemon drains. Returns the client if it is to
    /// be served, and refuses it otherwise. `None` at the end of a drain, and pending if a pause is needed.
    fn accept_without_descriptor(&self) -> Poll<Option<TokioStream>> {
        let descriptors = self.lifecycle.descriptors();
        for _ in 0..MAX_REFUSALS {
            if !self.listener.client_wait()(Duration::ZERO) {
                break;
            }
            let WithoutDescriptor::Accept { is_first } =
                descriptors.on_shortage(self.lifecycle.is_stopping())
            else {
                break;
            };
            if is_first {
                print_refusal(&self.lifecycle);
            }
            match self.listener.accept_queued() {
                Ok(stream) => {
                    if let Some(stream) = descriptors.admit(stream) {
                        return Poll::Ready(Some(self.count(stream)));
                    }
                }
                Err(error) => {
                    descriptors.give_back();
                    let has_ended = platform::accept_error(&error) == AcceptError::ShutDown
                        && self.lifecycle.is_stopping();
                    return if has_ended {
                        Poll::Ready(None)
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
        Poll::Pending
    }

    fn poll_accept_queued(&self, context: &Context<'_>) -> Poll<io::Result<Option<TokioStream>>> {
        match self.accept_queued() {
            Err(error) if platform::accept_error(&error) == AcceptError::Exhausted => {
                self.poll_exhausted(context, &error)
            }
            accepted => Poll::Ready(accepted),
        }
    }

    /// Has the task polled again once a client waits, after a pause. The runtime may have no timer, and it does not
    /// tell again that the listener is readable, so a thread waits: one for all polls of the listener.
    fn wake_after_pause<T>(&self, context: &Context<'_>) -> Poll<io::Result<T>> {
        self.pause.set_waker(context.waker());
        if self.pause.is_running.swap(true, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let pause = Arc::clone(&self.pause);
        let wait = self.listener.client_wait();
        let started = thread::Builder::new().spawn(move || {
            if wait(CLIENT_TIMEOUT) {
                thread::sleep(EXHAUSTED_PAUSE);
            }
            pause.end();
        });
        if started.is_err() {
            thread::sleep(EXHAUSTED_PAUSE);
            self.pause.end();
        }
        Poll::Pending
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
