//! Endpoints: binding, connecting, and waking whoever is blocked in `accept`.

use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "tokio")]
use interprocess::local_socket::tokio::Stream as TokioStream;
use interprocess::local_socket::traits::{Listener as _, Stream as _};
use interprocess::local_socket::{
    Listener as IpcListener, ListenerNonblockingMode, Stream as IpcStream,
};

use super::files::{fits_endpoint, user_id};
use super::fork::ForkGuard;
use crate::platform::AcceptError;

/// Whether a launcher may bind and hand the listener over.
///
/// Where a descriptor may be lost when it is closed after sending and before it was received, and
/// where sockets are not born with close-on-exec, the daemon binds itself.
pub(crate) const CAN_PASS_LISTENERS: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
));

/// Whether a launcher hands its lock over. Where it can't, the daemon takes the lock itself.
pub(crate) const CAN_PASS_LOCKS: bool = true;

/// Whether a descriptor that was sent stays open in the message, also when its sender closes it before it
/// is received. Elsewhere the sender keeps it until then.
pub(crate) const MESSAGES_KEEP_DESCRIPTORS_OPEN: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
));

/// The standard library's listener inside.
pub(super) fn as_unix(listener: &IpcListener) -> &UnixListener {
    let IpcListener::UdSocket(listener) = listener;
    listener.inner()
}

/// Wraps the standard library's listener. `interprocess` then never unlinks its path, which it would
/// do without a look at whose socket stands there.
pub(super) fn from_unix(listener: UnixListener) -> IpcListener {
    IpcListener::UdSocket(listener.into())
}

/// What a daemon accepts its clients from. Here it is the listener itself: the system queues them.
pub(crate) type AcceptQueue = IpcListener;

/// From now on clients queue until they are accepted.
#[allow(
    clippy::unnecessary_wraps,
    reason = "not every platform queues by itself"
)]
pub(crate) fn start_accept_queue(listener: IpcListener, _path: &Path) -> io::Result<AcceptQueue> {
    Ok(listener)
}

/// The same, for somebody who also waits for other things: [`accept`] does not block.
pub(crate) fn start_polled_queue(listener: IpcListener, _path: &Path) -> io::Result<AcceptQueue> {
    listener.set_nonblocking(ListenerNonblockingMode::Accept)?;
    Ok(listener)
}

/// The listener alone.
pub(crate) fn into_listener(listening: AcceptQueue) -> IpcListener {
    listening
}

/// Prepares a client's stream for [`receive_nonblocking`] and [`send_nonblocking`].
pub(crate) fn set_nonblocking(stream: &IpcStream) -> io::Result<()> {
    stream.set_nonblocking(true)
}

/// Receives what has come. `WouldBlock` if nothing has.
pub(crate) fn receive_nonblocking(mut stream: &IpcStream, buffer: &mut [u8]) -> io::Result<usize> {
    stream.read(buffer)
}

/// Sends what there is room for at once.
pub(crate) fn send_nonblocking(mut stream: &IpcStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes)
}

/// Receives, and waits for it until the deadline. `WouldBlock`, `TimedOut` or `Interrupted` if nothing has come.
pub(crate) fn receive_until(
    mut stream: &IpcStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<usize> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A zero time-out means none at all to the system, so no wait is shorter than this.
    stream.set_recv_timeout(Some(left.max(Duration::from_micros(1))))?;
    stream.read(buffer)
}

/// Binds and listens, with the largest backlog that the system gives.
pub(crate) fn bind(path: &Path) -> io::Result<IpcListener> {
    UnixListener::bind(path).map(from_unix)
}

/// Listens once more on an adopted listener: clients then see this process's credentials instead of
/// the launcher's, and the backlog is ours.
pub(crate) fn listen_again(listener: &IpcListener) -> io::Result<()> {
    // SAFETY: `listen` takes integers, and the descriptor is open as long as `listener` lives.
    if unsafe { libc::listen(as_unix(listener).as_raw_fd(), LARGEST_BACKLOG) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Linux takes a negative number for the largest that the administrator allows.
const LARGEST_BACKLOG: libc::c_int = if cfg!(any(target_os = "linux", target_os = "android")) {
    -1
} else {
    libc::SOMAXCONN
};

/// Whether this listener is bound at this path.
pub(crate) fn listens_at(listener: &IpcListener, path: &Path) -> io::Result<bool> {
    Ok(as_unix(listener).local_addr()?.as_pathname() == Some(path))
}

/// Connects, waiting for room in the backlog until the deadline.
///
/// # Errors
///
/// `NotFound` and `ConnectionRefused` say that nobody listens, `WouldBlock` that the backlog was full
/// until the deadline.
pub(crate) fn connect(path: &Path, deadline: Instant) -> io::Result<IpcStream> {
    let (address, length) = address(path)?;
    let mut stream = new_socket(NONBLOCKING)?;
    match connect_to(&stream, &address, length) {
        Ok(()) => stream.set_nonblocking(false)?,
        // As where a full backlog is a refusal.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && cfg!(brokered_portable) => {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        // The backlog is full: only now let the system wait for us, for as long as there is time.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            stream = connect_slowly(&address, length, deadline)?;
        }
        Err(error) => return Err(error),
    }
    Ok(IpcStream::UdSocket(stream.into()))
}

fn connect_slowly(
    address: &libc::sockaddr_un,
    length: libc::socklen_t,
    deadline: Instant,
) -> io::Result<UnixStream> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let stream = new_socket(0)?;
        stream.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
        match connect_to(&stream, address, length) {
            Ok(()) => {
                stream.set_write_timeout(None)?;
                return Ok(stream);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The path as the system wants it, and how much of it counts.
fn address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let bytes = path.as_os_str().as_bytes();
    if !fits_endpoint(path) || bytes.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path is too long for a socket, or has a NUL in it",
        ));
    }
    // SAFETY: an all-zero `sockaddr_un` is a valid value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    #[expect(clippy::cast_possible_truncation, reason = "`AF_UNIX` is 1")]
    {
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let length = mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    #[expect(clippy::cast_possible_truncation, reason = "110 at most")]
    Ok((address, length as libc::socklen_t))
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const NONBLOCKING: libc::c_int = libc::SOCK_NONBLOCK;
#[cfg(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
))]
const SEALED: libc::c_int = libc::SOCK_CLOEXEC;
/// Where a socket is not born non-blocking, a connect on a local socket never waits: a full backlog
/// is a refusal there.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const NONBLOCKING: libc::c_int = 0;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
)))]
const SEALED: libc::c_int = 0;

fn new_socket(flags: libc::c_int) -> io::Result<UnixStream> {
    // SAFETY: `socket` takes integers; the descriptor it returns is new and owned by nobody else.
    let socket = unsafe {
        let descriptor = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | SEALED | flags, 0);
        if descriptor == -1 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(descriptor)
    };
    if SEALED == 0 {
        // SAFETY: `fcntl` with `F_SETFD` takes an integer and touches no memory of ours.
        if unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(UnixStream::from(socket))
}

fn connect_to(
    socket: &UnixStream,
    address: &libc::sockaddr_un,
    length: libc::socklen_t,
) -> io::Result<()> {
    // SAFETY: the address is valid for reads of `length` bytes.
    let done = unsafe { libc::connect(socket.as_raw_fd(), (&raw const *address).cast(), length) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The same connection, for tokio. To be called in its runtime.
#[cfg(feature = "tokio")]
pub(crate) fn into_tokio(stream: IpcStream) -> io::Result<TokioStream> {
    let IpcStream::UdSocket(stream) = stream;
    let stream = UnixStream::from(OwnedFd::from(stream));
    stream.set_nonblocking(true)?;
    let stream =
        interprocess::os::unix::uds_local_socket::tokio::Stream::try_from(OwnedFd::from(stream))?;
    Ok(TokioStream::UdSocket(stream))
}

/// The user at the other end, if it is another one than ours.
pub(crate) fn foreign_peer(stream: &IpcStream) -> io::Result<Option<u32>> {
    let peer = peer_user(stream)?;
    Ok((peer != user_id()).then_some(peer))
}

/// `interprocess` reads the same, but takes a peer in another PID namespace, whose PID it sees as 0,
/// for a broken connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer_user(stream: &IpcStream) -> io::Result<u32> {
    let IpcStream::UdSocket(stream) = stream;
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "twelve bytes")]
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `credentials` is valid for writes of `length` bytes, and any bytes are a valid `ucred`.
    let done = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(credentials.uid)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer_user(stream: &IpcStream) -> io::Result<u32> {
    use interprocess::local_socket::traits::StreamCommon;

    stream
        .peer_creds()?
        .euid()
        .ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

/// The next client.
pub(crate) fn accept(listener: &AcceptQueue) -> io::Result<IpcStream> {
    let (stream, _) = as_unix(listener).accept()?;
    if cfg!(not(all(
        any(target_os = "linux", target_os = "android"),
        not(brokered_portable)
    ))) {
        // There a stream takes over from its listener whether it blocks.
        stream.set_nonblocking(false)?;
    }
    Ok(IpcStream::UdSocket(stream.into()))
}

/// What an error of `accept` asks for.
pub(crate) fn accept_error(error: &io::Error) -> AcceptError {
    match error.raw_os_error() {
        // Shut down, and everything that had queued was accepted.
        Some(libc::EINVAL | libc::EAGAIN) => AcceptError::Over,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => AcceptError::Exhausted,
        Some(libc::EINTR | libc::ECONNABORTED | libc::EPROTO | libc::EPERM) => AcceptError::Again,
        _ => AcceptError::Broken,
    }
}

/// Wakes whoever is blocked in `accept` on a listener, wherever the listener is by now.
#[derive(Debug)]
pub(crate) struct AcceptWaker {
    /// Dropped before what it seals.
    _seal: ForkGuard,
    listener: OwnedFd,
    path: PathBuf,
    /// How to wake where the listener can't be shut down.
    polled: Option<Polled>,
    /// Whether the listener is somebody else's, too, who goes on with it.
    is_shared: bool,
    /// Whether others accept, by means of their own.
    is_handed_off: AtomicBool,
}

/// What is waited on beside a listener.
#[derive(Debug)]
struct Polled {
    waits: UnixStream,
    wakes: UnixStream,
    /// Who waits: with two, one could find the other's client gone, and block where nothing wakes it.
    turn: Mutex<()>,
}

impl AcceptWaker {
    /// Whether new clients are refused from [`wake`](Self::wake) on, so that the endpoint can stay until
    /// everybody who had queued was accepted: whether a listener can be shut down, which Linux alone can.
    pub(crate) const REFUSES_NEW_CLIENTS: bool = cfg!(all(
        any(target_os = "linux", target_os = "android"),
        not(brokered_portable)
    ));

    /// A waker for this listener, bound at this path.
    pub(crate) fn new(listener: &AcceptQueue, path: &Path) -> io::Result<Self> {
        Self::with(listener, path, false)
    }

    /// A waker for a listener that somebody else has, too.
    pub(crate) fn of_shared(listener: &AcceptQueue, path: &Path) -> io::Result<Self> {
        Self::with(listener, path, true)
    }

    fn with(listener: &AcceptQueue, path: &Path, is_shared: bool) -> io::Result<Self> {
        let listener = as_unix(listener).as_fd().try_clone_to_owned()?;
        let is_polled = is_shared || !Self::REFUSES_NEW_CLIENTS;
        Ok(Self {
            _seal: ForkGuard::new(&listener),
            listener,
            path: path.to_owned(),
            polled: is_polled.then(Polled::new).transpose()?,
            is_shared,
            is_handed_off: AtomicBool::new(false),
        })
    }

    /// The listener goes to somebody who accepts without [`accept`](Self::accept).
    pub(crate) fn hand_off(&self) {
        self.is_handed_off.store(true, Ordering::Release);
    }

    /// Whether [`wake`](Self::wake) needs the endpoint's path.
    pub(crate) fn connects_to_wake(&self) -> bool {
        self.polled.is_some() && !self.is_shared && self.is_handed_off.load(Ordering::Acquire)
    }

    /// The next client on the listener that this is for. After [`wake`](Self::wake) an error that
    /// [`accept_error`] knows as the end.
    pub(crate) fn accept(&self, listener: &AcceptQueue) -> io::Result<IpcStream> {
        let Some(polled) = &self.polled else {
            return accept(listener);
        };
        let _turn = polled.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if polled.is_woken(listener)? && self.is_shared {
                // Whoever has queued is for the next process to which the listener is passed.
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            match accept(listener) {
                // Somebody else who has the listener was faster.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.is_shared => {}
                // One's own blocks until it is woken, and then it tells the end so.
                accepted => return accepted,
            }
        }
    }

    /// Ends accepting. Those who have queued are still accepted, and then `accept` fails with an error that
    /// [`accept_error`] knows as the end.
    pub(crate) fn wake(&self) -> io::Result<()> {
        let Some(polled) = &self.polled else {
            return self.shut_down();
        };
        if !self.is_shared {
            self.stop_blocking()?;
        }
        (&polled.wakes).write_all(b"w")
    }

    /// New clients are refused from now on.
    fn shut_down(&self) -> io::Result<()> {
        // SAFETY: `shutdown` takes integers, and the descriptor is open as long as `self` lives.
        if unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RD) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Who comes to accept finds that it would block. Where somebody is blocked already, without a wait beside it, a
    /// connection to oneself wakes them.
    fn stop_blocking(&self) -> io::Result<()> {
        UnixListener::from(self.listener.try_clone()?).set_nonblocking(true)?;
        if self.is_handed_off.load(Ordering::Acquire) {
            // Where the path is gone, nothing does.
            let _ = UnixStream::connect(&self.path);
        }
        Ok(())
    }
}

impl Polled {
    fn new() -> io::Result<Self> {
        let (waits, wakes) = UnixStream::pair()?;
        Ok(Self {
            waits,
            wakes,
            turn: Mutex::new(()),
        })
    }

    /// Waits for a client, or to be woken. Whether it was woken.
    fn is_woken(&self, listener: &AcceptQueue) -> io::Result<bool> {
        let mut polled =
            [self.waits.as_raw_fd(), as_unix(listener).as_raw_fd()].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
        // SAFETY: `polled` is two valid entries, whose descriptors are borrowed.
        if unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) } < 0 {
            let error = io::Error::last_os_error();
            return Err(if error.raw_os_error() == Some(libc::EINVAL) {
                // Two are more than this process may have open by now.
                io::Error::from_raw_os_error(libc::EMFILE)
            } else {
                error
            });
        }
        Ok(polled[0].revents != 0)
    }
}

/// A listener in tokio.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct AsyncListener {
    listener: tokio::net::UnixListener,
    /// The same once more, to ask it without tokio.
    copy: UnixListener,
}

/// A stream in tokio.
#[cfg(feature = "tokio")]
pub(crate) type AsyncStream = tokio::net::UnixStream;

#[cfg(feature = "tokio")]
impl AsyncListener {
    /// Within a runtime.
    pub(crate) fn new(listener: AcceptQueue) -> io::Result<Self> {
        let IpcListener::UdSocket(listener) = listener;
        let listener = UnixListener::from(OwnedFd::from(listener));
        listener.set_nonblocking(true)?;
        Ok(Self {
            copy: listener.try_clone()?,
            listener: tokio::net::UnixListener::from_std(listener)?,
        })
    }

    pub(crate) fn poll_accept(
        &self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<AsyncStream>> {
        self.listener
            .poll_accept(context)
            .map_ok(|(stream, _address)| stream)
    }

    /// The next client that has queued. `WouldBlock` if there is none.
    pub(crate) fn accept_queued(&self) -> io::Result<AsyncStream> {
        let (stream, _) = self.copy.accept()?;
        stream.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(stream)
    }
}
