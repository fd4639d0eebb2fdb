//! Accepting clients, and waking the threads that are blocked in it.
//!
//! A pipe has no backlog. A client connects to an instance of the pipe that waits for one. While no instance waits, the
//! pipe is busy. So from bind on, a thread accepts the clients, always provides the next instance, and puts the streams
//! into the accept queue.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use interprocess::local_socket::traits::Listener as _;
use interprocess::local_socket::{Listener as IpcListener, Stream as IpcStream};

use super::connect::connect;
use super::event::Event;
use super::overlapped;
use super::pipe::{handle_of, is_client_this_process};
use super::stream::send_nonblocking;
use crate::nonce::new_nonce;
use crate::platform::types::AcceptError;

/// While the queue has this many clients, the pipe is busy.
const MAX_QUEUED: usize = 1024;

/// How long stopping the thread may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connecting to a thread of the user's code may take, to wake it.
const WAKE_TIMEOUT: Duration = Duration::from_millis(20);

/// The pause before an operation is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The source of a daemon's clients: those that the thread has accepted, in order.
#[derive(Debug)]
pub(crate) struct AcceptQueue(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    /// The name of the pipe.
    path: PathBuf,
    state: Mutex<State>,
    /// Notified whenever the state has changed.
    changed: Condvar,
    /// Set while the queue has clients.
    available: Event,
}

#[derive(Debug, Default)]
struct State {
    clients: VecDeque<IpcStream>,
    /// Whether the thread was asked to stop.
    is_stopping: bool,
    /// What the connection that wakes the thread has sent. Empty before that.
    wake_nonce: String,
    /// Whether the thread returns the listener when it stops.
    returns_listener: bool,
    /// Whether the thread has stopped, and new clients are refused.
    has_stopped: bool,
    listener: Option<IpcListener>,
    thread: Option<JoinHandle<()>>,
    /// The task that waits for a client.
    waker: Option<Waker>,
}

pub(crate) fn start_accept_queue(listener: IpcListener, path: &Path) -> io::Result<AcceptQueue> {
    let queue = Arc::new(Queue {
        path: path.to_owned(),
        state: Mutex::default(),
        changed: Condvar::new(),
        available: Event::manual_reset()?,
    });
    let queue_of_thread = Arc::clone(&queue);
    let thread = thread::Builder::new()
        .name("brokered accept".to_owned())
        .spawn(move || queue_of_thread.accept_clients(listener))?;
    queue.state().thread = Some(thread);
    Ok(AcceptQueue(queue))
}

/// [`accept`] never blocks on Windows.
pub(crate) fn start_nonblocking_queue(
    listener: IpcListener,
    path: &Path,
) -> io::Result<AcceptQueue> {
    start_accept_queue(listener, path)
}

/// The clients in the queue lose their connections, because a listener has no place for them.
pub(crate) fn into_listener(queue: AcceptQueue) -> IpcListener {
    let queue = queue.0;
    queue.state().returns_listener = true;
    loop {
        queue.stop();
        let mut state = queue.state();
        if let Some(listener) = state.listener.take() {
            return listener;
        }
        drop(state);
        thread::sleep(RETRY_PAUSE);
    }
}

impl AcceptQueue {
    /// The event that is set while the queue has clients.
    pub(super) fn available(&self) -> &Event {
        &self.0.available
    }

    /// Whether the queue has clients.
    pub(super) fn has_clients(&self) -> bool {
        !self.0.state().clients.is_empty()
    }

    /// The next client. If there is none, the task is woken as soon as there is one.
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

    /// Runs on the thread until it is stopped.
    fn accept_clients(&self, listener: IpcListener) {
        loop {
            let accepted = listener.accept();
            let mut state = self.state();
            match accepted {
                Ok(stream) => {
                    if state.is_stopping && is_client_this_process(&stream) {
                        state = self.wait_for_wake_nonce(state);
                        if has_sent(&stream, &state.wake_nonce) {
                            break;
                        }
                    }
                    state.clients.push_back(stream);
                    self.notify(state);
                    self.wait_for_room();
                }
                Err(_) if state.is_stopping => break,
                // The process or the system has no free handles or memory.
                Err(_) => {
                    drop(state);
                    thread::sleep(RETRY_PAUSE);
                }
            }
        }
        let mut state = self.state();
        // If the listener is not returned, this closes it, and the system then refuses new clients.
        state.listener = state.returns_listener.then_some(listener);
        state.has_stopped = true;
        self.notify(state);
    }

    /// While the queue is full, the pipe is busy, and new clients wait.
    fn wait_for_room(&self) {
        let is_full = |state: &mut State| state.clients.len() >= MAX_QUEUED && !state.is_stopping;
        drop(self.changed.wait_while(self.state(), is_full));
    }

    /// Wakes all threads and the task that wait for a change of the state.
    fn notify(&self, mut state: MutexGuard<'_, State>) {
        if !state.clients.is_empty() {
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
        let next = state.clients.pop_front();
        if state.clients.is_empty() {
            self.available.reset();
        }
        if state.clients.len() + 1 == MAX_QUEUED {
            self.changed.notify_all();
        }
        next
    }

    fn wait_for_wake_nonce<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let result = self
            .changed
            .wait_timeout_while(state, STOP_TIMEOUT, |state| state.wake_nonce.is_empty());
        result.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Stops the thread. A connection from this process wakes it, and stays open until the thread has seen it. The
    /// nonce distinguishes that connection from other clients in this process.
    fn stop(&self) {
        self.state().is_stopping = true;
        self.changed.notify_all();
        let connection = connect(&self.path, Instant::now() + STOP_TIMEOUT);
        let nonce = new_nonce();
        if let Ok(stream) = &connection {
            let _ = send_nonblocking(stream, nonce.as_bytes());
        }
        self.state().wake_nonce = nonce;
        self.changed.notify_all();
        let stopped = self
            .changed
            .wait_timeout_while(self.state(), STOP_TIMEOUT, |state| !state.has_stopped);
        drop(stopped);
    }
}

/// Whether a client has sent this text and nothing else.
fn has_sent(stream: &IpcStream, text: &str) -> bool {
    let mut seen = vec![0; text.len()];
    overlapped::peek(handle_of(stream), &mut seen)
        .is_ok_and(|available| available == text.len() && seen == text.as_bytes())
}

pub(crate) fn accept(queue: &AcceptQueue) -> io::Result<IpcStream> {
    let queue = &queue.0;
    queue
        .next(&mut queue.state())
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

pub(crate) fn accept_error(error: &io::Error) -> AcceptError {
    match error.kind() {
        io::ErrorKind::WouldBlock => AcceptError::ShutDown,
        _ => AcceptError::Broken,
    }
}

/// Wakes the threads that wait for a client.
#[derive(Debug)]
pub(crate) struct AcceptWaker {
    queue: Arc<Queue>,
    /// Whether the user's code accepts, without [`accept`](Self::accept).
    user_accepts: AtomicBool,
    /// The connection that has woken the user's code.
    connection: Mutex<Option<IpcStream>>,
}

impl AcceptWaker {
    /// The queue keeps the clients that are waiting, so the pipe can be closed at once.
    pub(crate) const REFUSES_NEW_CLIENTS: bool = true;

    #[allow(
        clippy::unnecessary_wraps,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn new(queue: &AcceptQueue, _path: &Path) -> io::Result<Self> {
        Ok(Self {
            queue: Arc::clone(&queue.0),
            user_accepts: AtomicBool::new(false),
            connection: Mutex::default(),
        })
    }

    /// Processes cannot share a pipe.
    pub(crate) fn for_shared(queue: &AcceptQueue, path: &Path) -> io::Result<Self> {
        Self::new(queue, path)
    }

    pub(crate) fn set_user_accepts(&self) {
        self.user_accepts.store(true, Ordering::Release);
    }

    /// The name of a pipe exists as long as the pipe, so it need not be kept for the waker.
    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn connects_to_wake(&self) -> bool {
        false
    }

    pub(crate) fn accept(&self, _queue: &AcceptQueue) -> io::Result<IpcStream> {
        let mut state = self.queue.state();
        loop {
            if let Some(stream) = self.queue.next(&mut state) {
                return Ok(stream);
            }
            if state.has_stopped {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            state = self
                .queue
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[allow(
        clippy::unnecessary_wraps,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn stop_accepting(&self) -> io::Result<()> {
        if self.user_accepts.load(Ordering::Acquire) {
            // A thread of the user's code that is blocked in `accept` gets this connection. It stays open, so that the
            // thread sees it.
            let mut connection = self
                .connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *connection = connect(&self.queue.path, Instant::now() + WAKE_TIMEOUT).ok();
        } else {
            self.queue.stop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use interprocess::os::windows::named_pipe::{PipeListenerOptions, pipe_mode::Bytes};

    use super::super::listener::bind;
    use super::super::peer::foreign_peer;
    use super::super::pipe::secret_pipe_name;
    use super::super::security_descriptor::SecurityDescriptor;
    use super::super::stream::receive_nonblocking;
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn soon() -> Instant {
        Instant::now() + WAKE_TIMEOUT
    }

    #[test]
    fn clients_are_queued_in_order_before_the_daemon_accepts() -> Outcome {
        let path = secret_pipe_name("test");
        let queue = start_accept_queue(bind(&path)?, &path)?;
        let waker = AcceptWaker::new(&queue, &path)?;
        let mut clients = Vec::new();
        for number in 0..100_u8 {
            let mut client = connect(&path, Instant::now() + STOP_TIMEOUT)?;
            client.write_all(&[number])?;
            clients.push(client);
        }
        for number in 0..100_u8 {
            let mut seen = [0];
            waker.accept(&queue)?.read_exact(&mut seen)?;
            assert_eq!(seen, [number]);
        }
        Ok(())
    }

    #[test]
    fn queued_clients_are_accepted_after_wake_and_new_ones_are_refused() -> Outcome {
        let path = secret_pipe_name("test");
        let queue = start_accept_queue(bind(&path)?, &path)?;
        let waker = AcceptWaker::new(&queue, &path)?;
        let _client = connect(&path, Instant::now() + STOP_TIMEOUT)?;
        waker.stop_accepting()?;
        drop(waker.accept(&queue)?);
        let end = waker
            .accept(&queue)
            .err()
            .ok_or("a second client was accepted")?;
        assert_eq!(accept_error(&end), AcceptError::ShutDown);
        let refused = connect(&path, soon())
            .err()
            .ok_or("a new client connected")?;
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        Ok(())
    }

    #[test]
    fn a_listener_that_is_taken_out_of_its_queue_still_listens() -> Outcome {
        let path = secret_pipe_name("test");
        let listener = into_listener(start_accept_queue(bind(&path)?, &path)?);
        let _client = connect(&path, Instant::now() + STOP_TIMEOUT)?;
        listener.accept()?;
        Ok(())
    }

    #[test]
    fn a_pipe_without_a_free_instance_is_busy_until_the_deadline() -> Outcome {
        let path = secret_pipe_name("test");
        let _listener = bind(&path)?;
        let _first = connect(&path, soon())?;
        let busy = connect(&path, soon())
            .err()
            .ok_or("a second client connected")?;
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        Ok(())
    }

    #[test]
    fn a_reply_that_is_larger_than_a_page_is_sent_without_blocking() -> Outcome {
        let path = secret_pipe_name("test");
        let queue = start_accept_queue(bind(&path)?, &path)?;
        let waker = AcceptWaker::new(&queue, &path)?;
        let client = connect(&path, soon())?;
        let server = waker.accept(&queue)?;
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
    fn only_a_pipe_of_another_user_has_a_foreign_peer() -> Outcome {
        let path = secret_pipe_name("test");
        let _listener = bind(&path)?;
        assert_eq!(foreign_peer(&connect(&path, soon())?, None)?, None);

        let path = secret_pipe_name("test");
        // Setting another owner takes a privilege that not every user has.
        let Ok(_listener) = PipeListenerOptions::new()
            .path(path.as_path())
            .security_descriptor(Some(
                SecurityDescriptor::from_text("O:SYD:(A;;GA;;;WD)")?.to_interprocess()?,
            ))
            .create_duplex::<Bytes>()
        else {
            return Ok(());
        };
        let local_system = 18;
        assert_eq!(
            foreign_peer(&connect(&path, soon())?, None)?,
            Some(local_system)
        );
        Ok(())
    }
}
