//! Accepting clients, and waking the threads that are blocked in it.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use interprocess::local_socket::traits::Listener as _;
use interprocess::local_socket::{
    Listener as IpcListener, ListenerNonblockingMode, Stream as IpcStream,
};

use super::fork_guard::ForkGuard;
use super::listener::as_unix;
use crate::platform::types::AcceptError;

/// The source of a daemon's clients. On Unix it is the listener itself, because the system keeps the backlog.
pub(crate) type AcceptQueue = IpcListener;

#[allow(clippy::unnecessary_wraps, reason = "on other platforms this can fail")]
pub(crate) fn start_accept_queue(listener: IpcListener, _path: &Path) -> io::Result<AcceptQueue> {
    Ok(listener)
}

pub(crate) fn start_nonblocking_queue(
    listener: IpcListener,
    _path: &Path,
) -> io::Result<AcceptQueue> {
    listener.set_nonblocking(ListenerNonblockingMode::Accept)?;
    Ok(listener)
}

pub(crate) fn into_listener(queue: AcceptQueue) -> IpcListener {
    queue
}

pub(crate) fn accept(queue: &AcceptQueue) -> io::Result<IpcStream> {
    let (stream, _) = as_unix(queue).accept()?;
    if cfg!(not(all(
        any(target_os = "linux", target_os = "android"),
        not(brokered_portable)
    ))) {
        // On these systems a stream inherits the non-blocking mode of its listener.
        stream.set_nonblocking(false)?;
    }
    Ok(IpcStream::UdSocket(stream.into()))
}

pub(crate) fn accept_error(error: &io::Error) -> AcceptError {
    match error.raw_os_error() {
        // The listener was shut down, and its backlog is empty.
        Some(libc::EINVAL | libc::EAGAIN) => AcceptError::ShutDown,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => AcceptError::Exhausted,
        Some(libc::EINTR | libc::ECONNABORTED | libc::EPROTO) => AcceptError::Retry,
        _ => AcceptError::Broken,
    }
}

/// Wakes the threads that are blocked in `accept` on a listener, whichever part of the program owns the listener.
#[derive(Debug)]
pub(crate) struct AcceptWaker {
    /// Declared first, because it must be dropped before the descriptor that it guards.
    _fork_guard: ForkGuard,
    listener: OwnedFd,
    path: PathBuf,
    /// Wakes the threads where `shutdown` cannot.
    polled_accept: Option<PolledAccept>,
    /// Whether another process has the same listener and continues to use it.
    is_shared: bool,
    /// Whether the user's code accepts, without [`accept`](Self::accept).
    user_accepts: AtomicBool,
}

/// Waits for a client or for a byte in a socket pair, so that a thread can be woken without `shutdown`.
#[derive(Debug)]
struct PolledAccept {
    reader: UnixStream,
    writer: UnixStream,
    /// One thread polls and accepts at a time. With two, one could take the other's client, and the other would block
    /// in `accept`, where the socket pair does not wake it.
    accept_mutex: Mutex<()>,
}

impl AcceptWaker {
    /// Only Linux can shut a listener down.
    pub(crate) const REFUSES_NEW_CLIENTS: bool = cfg!(all(
        any(target_os = "linux", target_os = "android"),
        not(brokered_portable)
    ));

    pub(crate) fn new(queue: &AcceptQueue, path: &Path) -> io::Result<Self> {
        Self::with(queue, path, false)
    }

    pub(crate) fn for_shared(queue: &AcceptQueue, path: &Path) -> io::Result<Self> {
        Self::with(queue, path, true)
    }

    fn with(queue: &AcceptQueue, path: &Path, is_shared: bool) -> io::Result<Self> {
        let listener = as_unix(queue).as_fd().try_clone_to_owned()?;
        let is_polled = is_shared || !Self::REFUSES_NEW_CLIENTS;
        Ok(Self {
            _fork_guard: ForkGuard::new(&listener),
            listener,
            path: path.to_owned(),
            polled_accept: is_polled.then(PolledAccept::new).transpose()?,
            is_shared,
            user_accepts: AtomicBool::new(false),
        })
    }

    pub(crate) fn set_user_accepts(&self) {
        self.user_accepts.store(true, Ordering::Release);
    }

    pub(crate) fn connects_to_wake(&self) -> bool {
        self.polled_accept.is_some() && !self.is_shared && self.user_accepts.load(Ordering::Acquire)
    }

    pub(crate) fn accept(&self, queue: &AcceptQueue) -> io::Result<IpcStream> {
        let Some(polled) = &self.polled_accept else {
            return accept(queue);
        };
        let _turn = polled
            .accept_mutex
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if polled.wait_for_client_or_wake(queue)? && self.is_shared {
                // The clients in the backlog are for the next process that receives the listener.
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            match accept(queue) {
                // Another process that shares the listener has taken the client.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.is_shared => {}
                // A listener that is not shared blocks until `wake` makes it non-blocking. `WouldBlock` then means
                // that the backlog is empty.
                accepted => return accepted,
            }
        }
    }

    pub(crate) fn stop_accepting(&self) -> io::Result<()> {
        let Some(polled) = &self.polled_accept else {
            return self.shut_down();
        };
        if !self.is_shared {
            self.stop_blocking()?;
        }
        (&polled.writer).write_all(b"w")
    }

    /// Shuts the listener down: the system refuses new clients, and `accept` returns those in the backlog.
    fn shut_down(&self) -> io::Result<()> {
        // SAFETY: `shutdown` takes integers, and the descriptor is open while `self` lives.
        if unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RD) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Makes the listener non-blocking. A connection to the own endpoint wakes a thread that the user's code has
    /// blocked in `accept`, because that thread does not poll.
    fn stop_blocking(&self) -> io::Result<()> {
        UnixListener::from(self.listener.try_clone()?).set_nonblocking(true)?;
        if self.user_accepts.load(Ordering::Acquire) {
            // If the path is gone, the thread cannot be woken.
            let _ = UnixStream::connect(&self.path);
        }
        Ok(())
    }
}

impl PolledAccept {
    fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        Ok(Self {
            reader,
            writer,
            accept_mutex: Mutex::new(()),
        })
    }

    /// Waits for a client or for [`AcceptWaker::stop_accepting`]. Returns whether it was woken.
    fn wait_for_client_or_wake(&self, queue: &AcceptQueue) -> io::Result<bool> {
        let mut sources =
            [self.reader.as_raw_fd(), as_unix(queue).as_raw_fd()].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
        // SAFETY: `sources` is two valid entries, and their descriptors are borrowed.
        if unsafe { libc::poll(sources.as_mut_ptr(), 2, -1) } < 0 {
            let error = io::Error::last_os_error();
            return Err(if error.raw_os_error() == Some(libc::EINVAL) {
                // The limit of open descriptors was lowered to less than two.
                io::Error::from_raw_os_error(libc::EMFILE)
            } else {
                error
            });
        }
        Ok(sources[0].revents != 0)
    }
}
