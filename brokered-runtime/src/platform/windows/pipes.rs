//! Endpoints: binding, connecting, queueing clients, and waking whoever waits for one.
//!
//! A pipe has no backlog: a client connects to an instance of it that waits for one, and while none does, all others
//! are told that the pipe is busy. So a thread accepts from bind on, always has the next instance ready, and queues
//! the streams.

use std::collections::VecDeque;
use std::io;
#[cfg(feature = "tokio")]
use std::os::windows::io::OwnedHandle;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use interprocess::ConnectWaitMode;
use interprocess::local_socket::traits::Listener as _;
use interprocess::local_socket::{
    GenericFilePath, Listener as IpcListener, ListenerOptions, Stream as IpcStream, ToFsName,
};
use interprocess::os::windows::named_pipe::{
    DuplexPipeStream, PipeListener, PipeListenerOptions, pipe_mode::Bytes,
};
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, ERROR_SEM_TIMEOUT};
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, GetNamedPipeServerProcessId};

use super::overlapped::{self, Event};
use super::user::{self, Descriptor, Owner};
use super::{check, files};
use crate::handoff::new_nonce;
use crate::platform::AcceptError;

/// A pipe can't be handed over, so the daemon binds itself.
pub(crate) const CAN_PASS_LISTENERS: bool = false;

/// A lock on a file belongs to a process.
pub(crate) const CAN_PASS_LOCKS: bool = false;

pub(crate) const MESSAGES_KEEP_DESCRIPTORS_OPEN: bool = false;

/// How much a pipe holds in each direction. `interprocess` says 512 bytes for its local sockets, and has no way to say
/// anything else.
const ROOM: u32 = 64 * 1024;

/// How many clients queue before the next ones find the pipe busy.
const LONGEST_QUEUE: usize = 1024;

/// How long a pipe may still be somebody's whose process has ended: a connected instance outlives its server until
/// its client has closed it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the system may wait for a free instance: a pipe whose last instance goes meanwhile is not told of.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How long to wait before trying again what the system has refused.
const PAUSE: Duration = Duration::from_millis(20);

/// Binds and listens, for this user alone, and not for other machines.
pub(crate) fn bind(path: &Path) -> io::Result<IpcListener> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match create(path) {
            Ok(pipe) => return wrap(pipe),
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            Err(error) if Instant::now() >= deadline => return Err(squatted(path, error)),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// The first instance of a pipe. With the lock held, another first instance is a squatter's, or a dead daemon's.
pub(super) fn create(path: &Path) -> io::Result<PipeListener<Bytes, Bytes>> {
    PipeListenerOptions::new()
        .path(path)
        .input_buffer_size_hint(ROOM)
        .output_buffer_size_hint(ROOM)
        .security_descriptor(Some(Descriptor::for_this_user()?.to_interprocess()?))
        .create_duplex()
}

/// A pipe as a local socket, which `interprocess` only makes by itself: so one of its own, under a name that nobody
/// knows, is swapped for it.
fn wrap(pipe: PipeListener<Bytes, Bytes>) -> io::Result<IpcListener> {
    let name = unknown_name("wrapped");
    let name = name.to_fs_name::<GenericFilePath>()?;
    let mut listener = ListenerOptions::new().name(name).create_sync()?;
    let IpcListener::NamedPipe(inside) = &mut listener;
    *inside.as_mut() = pipe;
    Ok(listener)
}

/// A pipe's name that nobody else knows.
pub(super) fn unknown_name(purpose: &str) -> PathBuf {
    let nonce = new_nonce();
    files::endpoint_in(Path::new(&format!(r"{purpose}\{nonce}")), "socket")
}

/// Says whose process serves a pipe that can't be bound.
fn squatted(path: &Path, error: io::Error) -> io::Error {
    let holder = connect(path, Instant::now() + PAUSE)
        .ok()
        .and_then(|stream| server_process(&stream));
    match holder {
        Some(process) => io::Error::new(
            error.kind(),
            format!("{error}: process {process} serves this pipe without holding the lock"),
        ),
        None => error,
    }
}

/// Connects, waiting for a free instance until the deadline.
///
/// # Errors
///
/// `NotFound` says that nobody listens, `WouldBlock` that all instances were busy until the deadline.
pub(crate) fn connect(path: &Path, deadline: Instant) -> io::Result<IpcStream> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A local socket's own way to connect waits for ever.
        let connected = DuplexPipeStream::connect_by_path_with_wait_mode(
            path,
            ConnectWaitMode::Timeout(left.min(LONGEST_WAIT)),
        );
        match connected {
            Ok(stream) => return Ok(from_pipe(stream)),
            Err(error) if !is_busy(&error) => return Err(error),
            Err(_) if left.is_zero() => return Err(io::ErrorKind::WouldBlock.into()),
            Err(_) => {}
        }
    }
}

/// Whether all instances of a pipe are busy, and have been for as long as was waited.
fn is_busy(error: &io::Error) -> bool {
    let codes = [ERROR_SEM_TIMEOUT, ERROR_PIPE_BUSY].map(u32::cast_signed);
    error.kind() == io::ErrorKind::TimedOut
        || error
            .raw_os_error()
            .is_some_and(|code| codes.contains(&code))
}

pub(super) fn from_pipe(stream: DuplexPipeStream<Bytes>) -> IpcStream {
    IpcStream::NamedPipe(stream.into())
}

pub(super) fn handle_of(stream: &IpcStream) -> BorrowedHandle<'_> {
    let IpcStream::NamedPipe(stream) = stream;
    stream.as_handle()
}

/// The user at the other end, if it is another one than ours, by the last part of their identifier.
///
/// Who has made a pipe owns it, and nobody can make one in another's name. What an elevated process makes without a
/// descriptor of its own, as hand-written daemons do, is the administrators'; it is ours where we are one. On the daemon's
/// side the pipe is ours, and its descriptor lets nobody else connect.
pub(crate) fn foreign_peer(stream: &IpcStream) -> io::Result<Option<u32>> {
    Ok(match user::owner_of_pipe(handle_of(stream))? {
        Owner::Us | Owner::OurGroup => None,
        Owner::Other(user) => Some(user),
    })
}

/// A pipe is never handed over.
pub(crate) fn listen_again(_listener: &IpcListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A pipe is never handed over.
pub(crate) fn listens_at(_listener: &IpcListener, _path: &Path) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The process that serves the other end.
fn server_process(stream: &IpcStream) -> Option<u32> {
    let mut process = 0;
    // SAFETY: the handle is open as long as it is borrowed, and `process` is valid for writes.
    check(unsafe {
        GetNamedPipeServerProcessId(handle_of(stream).as_raw_handle(), &raw mut process)
    })
    .ok()?;
    Some(process)
}

/// The process that listens at the other end.
#[cfg(feature = "operator")]
pub(crate) fn listening_process(stream: &IpcStream) -> Option<u32> {
    server_process(stream)
}

/// Whether the client is this very process.
fn is_from_here(stream: &IpcStream) -> bool {
    let mut process = 0;
    // SAFETY: as in `server_process`.
    let asked = check(unsafe {
        GetNamedPipeClientProcessId(handle_of(stream).as_raw_handle(), &raw mut process)
    });
    asked.is_ok() && process == std::process::id()
}

/// Whether a client has sent this, and nothing else.
fn has_sent(stream: &IpcStream, text: &str) -> bool {
    let mut seen = vec![0; text.len()];
    overlapped::peek(handle_of(stream), &mut seen)
        .is_ok_and(|available| available == text.len() && seen == text.as_bytes())
}

/// Prepares a client's stream for [`receive_nonblocking`] and [`send_nonblocking`]: an overlapped pipe is.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the doors have one shape on every platform"
)]
pub(crate) fn set_nonblocking(_stream: &IpcStream) -> io::Result<()> {
    Ok(())
}

/// Receives what has come. `WouldBlock` if nothing has.
pub(crate) fn receive_nonblocking(stream: &IpcStream, buffer: &mut [u8]) -> io::Result<usize> {
    overlapped::read(handle_of(stream), buffer, overlapped::at_once())?
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// Sends what there is room for at once.
pub(crate) fn send_nonblocking(stream: &IpcStream, bytes: &[u8]) -> io::Result<usize> {
    overlapped::write(handle_of(stream), bytes, overlapped::at_once())
}

/// Receives, and waits for it until the deadline. `WouldBlock` if nothing has come.
pub(crate) fn receive_until(
    stream: &IpcStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<usize> {
    overlapped::read(handle_of(stream), buffer, Some(deadline))?
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// What a daemon accepts its clients from: those whom a thread has let in, in order.
#[derive(Debug)]
pub(crate) struct AcceptQueue(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    /// Where the thread accepts.
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    /// Set while somebody has queued.
    available: Event,
}

#[derive(Debug, Default)]
struct State {
    queued: VecDeque<IpcStream>,
    /// Whether nobody new is to be let in.
    is_stopping: bool,
    /// What the connection has sent that wakes the thread, once it has.
    sent: String,
    /// Whether the listener is wanted afterwards.
    is_wanted_back: bool,
    /// Whether nobody new is let in.
    is_over: bool,
    listener: Option<IpcListener>,
    thread: Option<JoinHandle<()>>,
    /// Who waits for a client without a thread.
    waker: Option<Waker>,
}

/// From now on clients queue until they are accepted.
pub(crate) fn start_accept_queue(listener: IpcListener, path: &Path) -> io::Result<AcceptQueue> {
    let queue = Arc::new(Queue {
        path: path.to_owned(),
        state: Mutex::default(),
        changed: Condvar::new(),
        available: Event::lasting()?,
    });
    let queue_of_thread = Arc::clone(&queue);
    let thread = thread::Builder::new()
        .name("brokered accept".to_owned())
        .spawn(move || queue_of_thread.accept_clients(listener))?;
    queue.state().thread = Some(thread);
    Ok(AcceptQueue(queue))
}

/// The same, for somebody who also waits for other things.
pub(crate) fn start_polled_queue(listener: IpcListener, path: &Path) -> io::Result<AcceptQueue> {
    start_accept_queue(listener, path)
}

/// The listener alone. Those who had queued lose their connections: a listener has no place for them.
pub(crate) fn into_listener(listening: AcceptQueue) -> IpcListener {
    let queue = listening.0;
    queue.state().is_wanted_back = true;
    loop {
        queue.stop();
        let mut state = queue.state();
        if let Some(listener) = state.listener.take() {
            return listener;
        }
        drop(state);
        thread::sleep(PAUSE);
    }
}

impl AcceptQueue {
    /// Set while somebody has queued.
    pub(super) fn available(&self) -> &Event {
        &self.0.available
    }

    /// Whether somebody has queued.
    pub(super) fn has_queued(&self) -> bool {
        !self.0.state().queued.is_empty()
    }

    /// The next client, or who is to be woken when there is one.
    #[cfg(feature = "tokio")]
    pub(super) fn next_or_wake(&self, waker: &Waker) -> Option<IpcStream> {
        let mut state = self.0.state();
        let next = self.0.next(&mut state);
        if next.is_none() {
            state.waker = Some(waker.clone());
        }
        next
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's life.
    fn accept_clients(&self, listener: IpcListener) {
        loop {
            let accepted = listener.accept();
            let mut state = self.state();
            match accepted {
                Ok(stream) => {
                    if state.is_stopping && is_from_here(&stream) {
                        state = self.until_woken(state);
                        if has_sent(&stream, &state.sent) {
                            break;
                        }
                    }
                    state.queued.push_back(stream);
                    self.tell(state);
                    self.until_there_is_room();
                }
                Err(_) if state.is_stopping => break,
                // Handles or memory have run out.
                Err(_) => {
                    drop(state);
                    thread::sleep(PAUSE);
                }
            }
        }
        let mut state = self.state();
        // Closing it is what refuses new clients.
        state.listener = state.is_wanted_back.then_some(listener);
        state.is_over = true;
        self.tell(state);
    }

    /// Whoever comes while the queue is full finds the pipe busy, and waits.
    fn until_there_is_room(&self) {
        let is_full = |state: &mut State| state.queued.len() >= LONGEST_QUEUE && !state.is_stopping;
        drop(self.changed.wait_while(self.state(), is_full));
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        if !state.queued.is_empty() {
            self.available.set();
        }
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn next(&self, state: &mut State) -> Option<IpcStream> {
        let next = state.queued.pop_front();
        if state.queued.is_empty() {
            self.available.reset();
        }
        if state.queued.len() + 1 == LONGEST_QUEUE {
            self.changed.notify_all();
        }
        next
    }

    /// Whether the connection that wakes the thread was made is known after this.
    fn until_woken<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let reason = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.sent.is_empty());
        reason.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets nobody new in: the thread is woken by a connection from here, which stays until it was seen. What it has sent
    /// tells it from the connections of other clients in this process.
    fn stop(&self) {
        self.state().is_stopping = true;
        self.changed.notify_all();
        let reason = connect(&self.path, Instant::now() + PATIENCE);
        let nonce = new_nonce();
        if let Ok(stream) = &reason {
            let _ = send_nonblocking(stream, nonce.as_bytes());
        }
        self.state().sent = nonce;
        self.changed.notify_all();
        let over = self
            .changed
            .wait_timeout_while(self.state(), PATIENCE, |state| !state.is_over);
        drop(over);
    }
}

/// The next client. `WouldBlock` if nobody has queued.
pub(crate) fn accept(listening: &AcceptQueue) -> io::Result<IpcStream> {
    let queue = &listening.0;
    queue
        .next(&mut queue.state())
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// What an error of `accept` asks for.
pub(crate) fn accept_error(error: &io::Error) -> AcceptError {
    match error.kind() {
        io::ErrorKind::WouldBlock => AcceptError::Over,
        _ => AcceptError::Broken,
    }
}

/// Wakes whoever waits for a client.
#[derive(Debug)]
pub(crate) struct AcceptWaker {
    queue: Arc<Queue>,
    /// Whether others accept, by means of their own.
    is_handed_off: AtomicBool,
    /// The connection that has woken them.
    reason: Mutex<Option<IpcStream>>,
}

impl AcceptWaker {
    /// New clients are refused from [`wake`](Self::wake) on, but what was queued is here already.
    pub(crate) const REFUSES_NEW_CLIENTS: bool = true;

    /// A waker for those who wait for clients here.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn new(listening: &AcceptQueue, _path: &Path) -> io::Result<Self> {
        Ok(Self {
            queue: Arc::clone(&listening.0),
            is_handed_off: AtomicBool::new(false),
            reason: Mutex::default(),
        })
    }

    /// The same: nobody else has a pipe.
    pub(crate) fn of_shared(listening: &AcceptQueue, path: &Path) -> io::Result<Self> {
        Self::new(listening, path)
    }

    /// The listener goes to somebody who accepts without [`accept`](Self::accept).
    pub(crate) fn hand_off(&self) {
        self.is_handed_off.store(true, Ordering::Release);
    }

    /// Whether [`wake`](Self::wake) needs the endpoint's path: a pipe has none that could be given up before.
    #[allow(
        clippy::unused_self,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn connects_to_wake(&self) -> bool {
        false
    }

    /// The next client. After [`wake`](Self::wake) an error that [`accept_error`] knows as the end, once all who had
    /// queued were accepted.
    pub(crate) fn accept(&self, _listening: &AcceptQueue) -> io::Result<IpcStream> {
        let mut state = self.queue.state();
        loop {
            if let Some(stream) = self.queue.next(&mut state) {
                return Ok(stream);
            }
            if state.is_over {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            state = self
                .queue
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends accepting. Those who have queued are still accepted.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn wake(&self) -> io::Result<()> {
        if self.is_handed_off.load(Ordering::Acquire) {
            // Whoever is blocked in `accept` gets this connection, which stays until it was seen.
            let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
            *reason = connect(&self.queue.path, Instant::now() + PAUSE).ok();
        } else {
            self.queue.stop();
        }
        Ok(())
    }
}

/// The connections of a daemon that drains. A pipe can't be ended in one direction, and the system does not tell which
/// one waits for a request, so all of them are served until they are done.
#[derive(Debug)]
pub(crate) struct AcceptedConnections;

impl AcceptedConnections {
    pub(crate) fn on(_path: &Path) -> Self {
        Self
    }

    #[allow(
        clippy::unused_self,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn shut_down_quiet(&mut self) {}
}

#[cfg(feature = "tokio")]
/// The handle of a stream that nobody has split.
pub(super) fn into_handle(stream: IpcStream) -> OwnedHandle {
    let IpcStream::NamedPipe(stream) = stream;
    stream.into()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn soon() -> Instant {
        Instant::now() + PAUSE
    }

    #[test]
    fn clients_queue_in_order_before_anybody_accepts() -> Outcome {
        let path = unknown_name("test");
        let listening = start_accept_queue(bind(&path)?, &path)?;
        let waker = AcceptWaker::new(&listening, &path)?;
        let mut clients = Vec::new();
        for number in 0..100_u8 {
            let mut client = connect(&path, Instant::now() + PATIENCE)?;
            client.write_all(&[number])?;
            clients.push(client);
        }
        for number in 0..100_u8 {
            let mut seen = [0];
            waker.accept(&listening)?.read_exact(&mut seen)?;
            assert_eq!(seen, [number]);
        }
        Ok(())
    }

    #[test]
    fn whoever_had_queued_is_accepted_after_the_end_and_nobody_else_connects() -> Outcome {
        let path = unknown_name("test");
        let listening = start_accept_queue(bind(&path)?, &path)?;
        let waker = AcceptWaker::new(&listening, &path)?;
        let _client = connect(&path, Instant::now() + PATIENCE)?;
        waker.wake()?;
        drop(waker.accept(&listening)?);
        let over = waker.accept(&listening).err().ok_or("nobody is left")?;
        assert_eq!(accept_error(&over), AcceptError::Over);
        let refused = connect(&path, soon()).err().ok_or("nobody listens")?;
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        Ok(())
    }

    #[test]
    fn a_listener_comes_back_from_its_queue_and_listens() -> Outcome {
        let path = unknown_name("test");
        let listener = into_listener(start_accept_queue(bind(&path)?, &path)?);
        let _client = connect(&path, Instant::now() + PATIENCE)?;
        listener.accept()?;
        Ok(())
    }

    #[test]
    fn a_pipe_without_a_free_instance_is_busy_until_the_deadline() -> Outcome {
        let path = unknown_name("test");
        let _listener = bind(&path)?;
        let _first = connect(&path, soon())?;
        let busy = connect(&path, soon()).err().ok_or("one is all it has")?;
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        Ok(())
    }

    #[test]
    fn a_reply_that_is_larger_than_a_page_is_sent_at_once() -> Outcome {
        let path = unknown_name("test");
        let listening = start_accept_queue(bind(&path)?, &path)?;
        let waker = AcceptWaker::new(&listening, &path)?;
        let client = connect(&path, soon())?;
        let server = waker.accept(&listening)?;
        assert_eq!(send_nonblocking(&server, &[7; 20_000])?, 20_000);
        let nothing = receive_nonblocking(&server, &mut [0; 8]).err();
        assert_eq!(
            nothing.map(|error| error.kind()),
            Some(io::ErrorKind::WouldBlock)
        );
        let mut reply = vec![0; 20_000];
        (&client).read_exact(&mut reply)?;
        drop(client);
        assert_eq!(receive_nonblocking(&server, &mut [0; 8])?, 0);
        Ok(())
    }

    #[test]
    fn a_pipe_of_ones_own_is_ours_and_one_of_the_systems_is_foreign() -> Outcome {
        let path = unknown_name("test");
        let _listener = bind(&path)?;
        assert_eq!(foreign_peer(&connect(&path, soon())?)?, None);

        let path = unknown_name("test");
        // To give something away takes a privilege that not every user has.
        let Ok(_listener) = PipeListenerOptions::new()
            .path(path.as_path())
            .security_descriptor(Some(
                Descriptor::from_text("O:SYD:(A;;GA;;;WD)")?.to_interprocess()?,
            ))
            .create_duplex::<Bytes>()
        else {
            return Ok(());
        };
        let local_system = 18;
        assert_eq!(foreign_peer(&connect(&path, soon())?)?, Some(local_system));
        Ok(())
    }
}
