//! Waiting for console control events, for other threads, and for clients, all in one call.

use std::io;
use std::os::windows::io::{AsRawHandle, RawHandle};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;
use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::WaitForMultipleObjects;
use windows_sys::core::BOOL;

use super::accept::AcceptQueue;
use super::event::{Event, milliseconds};
use super::ffi::check;
use super::overlapped;
use super::pipe::handle_of;
use crate::platform::types::{PollResult, WakeReason};

/// The interval at which pipes are checked for a request. Windows cannot wait for bytes on several pipes.
const READ_INTERVAL: Duration = Duration::from_millis(2);

/// The interval at which pipes are checked for a hang-up.
const HANG_UP_INTERVAL: Duration = Duration::from_millis(50);

/// Set when a console control event asks this process to stop. It is a static, because the handler takes no argument.
static STOP_REQUESTED: OnceLock<Event> = OnceLock::new();

/// The system calls this on a new thread.
unsafe extern "system" fn on_console_event(event: u32) -> BOOL {
    if let Some(requested) = STOP_REQUESTED.get() {
        requested.set();
    }
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // The console is closed, the user logs off, or the machine shuts down. The process ends when this function
        // returns, so it does not return. The system then waits for some seconds.
        loop {
            std::thread::park();
        }
    }
    1
}

/// Waits for console control events.
#[derive(Debug)]
pub(crate) struct SignalPoller(Arc<Event>);

/// Wakes the thread that waits.
#[derive(Debug, Clone)]
pub(crate) struct PollWaker(Arc<Event>);

/// What a thread waits for besides console control events.
#[derive(Debug)]
pub(crate) enum PollSource<'a> {
    /// A client can be accepted.
    Listener(&'a AcceptQueue),
    /// Bytes can be read.
    Readable(&'a IpcStream),
    /// The peer has closed the connection.
    HangUp(&'a IpcStream),
}

impl PollSource<'_> {
    /// The event that is set when the source is ready, if it has one.
    fn event(&self) -> Option<RawHandle> {
        match self {
            Self::Listener(queue) => Some(queue.available().as_raw_handle()),
            Self::Readable(_) | Self::HangUp(_) => None,
        }
    }

    /// The interval at which a source without an event is checked.
    fn interval(&self) -> Option<Duration> {
        match self {
            Self::Listener(_) => None,
            Self::Readable(_) => Some(READ_INTERVAL),
            Self::HangUp(_) => Some(HANG_UP_INTERVAL),
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            Self::Listener(queue) => queue.has_clients(),
            Self::Readable(stream) => {
                !matches!(overlapped::peek(handle_of(stream), &mut []), Ok(0))
            }
            Self::HangUp(stream) => overlapped::peek(handle_of(stream), &mut []).is_err(),
        }
    }
}

impl SignalPoller {
    /// Handles `^C`, `^Break`, the closing of the console, the end of the user's session, and the machine's shutdown.
    pub(crate) fn install() -> io::Result<(Self, PollWaker)> {
        if STOP_REQUESTED.get().is_none() {
            let _ = STOP_REQUESTED.set(Event::auto_reset()?);
        }
        // SAFETY: the handler only accesses a static, and exists as long as the program.
        check(unsafe { SetConsoleCtrlHandler(Some(on_console_event), 1) })?;
        let wake = Arc::new(Event::auto_reset()?);
        Ok((Self(Arc::clone(&wake)), PollWaker(wake)))
    }

    pub(crate) fn poll(
        &mut self,
        sources: &[PollSource<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<PollResult> {
        let interval = sources.iter().filter_map(PollSource::interval).min();
        let mut handles = vec![self.0.as_raw_handle()];
        handles.extend(STOP_REQUESTED.get().map(AsRawHandle::as_raw_handle));
        handles.extend(sources.iter().filter_map(PollSource::event));
        loop {
            let ready: Vec<bool> = sources.iter().map(PollSource::is_ready).collect();
            let any_ready = ready.contains(&true);
            let until = if any_ready {
                overlapped::no_wait()
            } else {
                let next_check = interval.map(|interval| Instant::now() + interval);
                deadline.into_iter().chain(next_check).min()
            };
            let reason = match wait_for_any(&handles, until)? {
                Some(0) => WakeReason::Thread,
                Some(1) => WakeReason::Signal,
                _ if any_ready => WakeReason::Source,
                None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    WakeReason::Deadline
                }
                _ => continue,
            };
            return Ok(PollResult { reason, ready });
        }
    }
}

/// Waits until one of the events is set, and returns its index. `None` after the deadline.
fn wait_for_any(events: &[RawHandle], deadline: Option<Instant>) -> io::Result<Option<u32>> {
    let number = u32::try_from(events.len()).map_err(io::Error::other)?;
    // SAFETY: `events` has `number` handles, which are open because their owners are borrowed.
    let result =
        unsafe { WaitForMultipleObjects(number, events.as_ptr(), 0, milliseconds(deadline)) };
    match result {
        WAIT_FAILED => Err(io::Error::last_os_error()),
        result => Ok(Some(result.wrapping_sub(WAIT_OBJECT_0)).filter(|index| *index < number)),
    }
}

impl PollWaker {
    pub(crate) fn wake(&self) {
        self.0.set();
    }
}
