//! What asks a process to end, as an event that other threads can set as well, and waiting for more than that.

use std::io;
use std::os::windows::io::{AsRawHandle, RawHandle};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;
use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::WaitForMultipleObjects;
use windows_sys::core::BOOL;

use super::check;
use super::overlapped::{self, Event, milliseconds};
use super::pipes::{AcceptQueue, handle_of};
use crate::platform::{Ready, WakeReason};

/// How often a stream is looked at whose request is awaited: the system has no way to wait for many of them.
const BETWEEN_LOOKS_AT_REQUESTS: Duration = Duration::from_millis(2);

/// How often a stream is looked at that is only to be closed.
const BETWEEN_LOOKS_AT_ENDS: Duration = Duration::from_millis(50);

/// Set by what asks this process to end. The handler can't be given anything.
static ASKED: OnceLock<Event> = OnceLock::new();

/// Runs on a thread of the system's own.
unsafe extern "system" fn on_console_event(event: u32) -> BOOL {
    if let Some(asked) = ASKED.get() {
        asked.set();
    }
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // The console is closed, the user logs off, or the machine is shut down: as soon as this returns, the process
        // ends. So it doesn't, and the system waits for some seconds.
        loop {
            std::thread::park();
        }
    }
    1
}

/// Where what asks to end arrives.
#[derive(Debug)]
pub(crate) struct SignalPipe(Arc<Event>);

/// Wakes the thread that waits there.
#[derive(Debug, Clone)]
pub(crate) struct Wake(Arc<Event>);

/// What a thread waits for besides.
#[derive(Debug)]
pub(crate) enum PollSource<'a> {
    /// A client to accept.
    Listener(&'a AcceptQueue),
    /// Something to read.
    Reading(&'a IpcStream),
    /// The other side's hanging up.
    Ending(&'a IpcStream),
}

impl PollSource<'_> {
    fn event(&self) -> Option<RawHandle> {
        match self {
            Self::Listener(listening) => Some(listening.available().as_raw_handle()),
            Self::Reading(_) | Self::Ending(_) => None,
        }
    }

    fn looks(&self) -> Option<Duration> {
        match self {
            Self::Listener(_) => None,
            Self::Reading(_) => Some(BETWEEN_LOOKS_AT_REQUESTS),
            Self::Ending(_) => Some(BETWEEN_LOOKS_AT_ENDS),
        }
    }

    fn has_something(&self) -> bool {
        match self {
            Self::Listener(listening) => listening.has_queued(),
            Self::Reading(stream) => !matches!(overlapped::peek(handle_of(stream), &mut []), Ok(0)),
            Self::Ending(stream) => overlapped::peek(handle_of(stream), &mut []).is_err(),
        }
    }
}

impl SignalPipe {
    /// Takes over what asks a process to end: `^C`, `^Break`, the closing of its console, logging off, shutting down.
    pub(crate) fn install() -> io::Result<(Self, Wake)> {
        if ASKED.get().is_none() {
            let _ = ASKED.set(Event::seen_once()?);
        }
        // SAFETY: the handler touches nothing but a static, and is there as long as the program is.
        check(unsafe { SetConsoleCtrlHandler(Some(on_console_event), 1) })?;
        let wake = Arc::new(Event::seen_once()?);
        Ok((Self(Arc::clone(&wake)), Wake(wake)))
    }

    /// Waits for what asks to end, another thread, the deadline, or what is watched. Being woken for that alone counts
    /// as [`WakeReason::Watched`].
    pub(crate) fn poll(
        &mut self,
        watched: &[PollSource<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<Ready> {
        let looks = watched.iter().filter_map(PollSource::looks).min();
        let mut handles = vec![self.0.as_raw_handle()];
        handles.extend(ASKED.get().map(AsRawHandle::as_raw_handle));
        handles.extend(watched.iter().filter_map(PollSource::event));
        loop {
            let has_something: Vec<bool> = watched.iter().map(PollSource::has_something).collect();
            let is_watched = has_something.contains(&true);
            let until = if is_watched {
                overlapped::at_once()
            } else {
                let look = looks.map(|looks| Instant::now() + looks);
                deadline.into_iter().chain(look).min()
            };
            let reason = match wait_for_one(&handles, until)? {
                Some(0) => WakeReason::Thread,
                Some(1) => WakeReason::Signal,
                _ if is_watched => WakeReason::Watched,
                None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    WakeReason::Time
                }
                _ => continue,
            };
            return Ok(Ready {
                reason,
                watched: has_something,
            });
        }
    }
}

/// Which of the events is set first. `None` if none is until the deadline.
fn wait_for_one(events: &[RawHandle], deadline: Option<Instant>) -> io::Result<Option<u32>> {
    let number = u32::try_from(events.len()).map_err(io::Error::other)?;
    // SAFETY: `events` are so many handles, which are open as long as what they were taken from is borrowed.
    let reason =
        unsafe { WaitForMultipleObjects(number, events.as_ptr(), 0, milliseconds(deadline)) };
    match reason {
        WAIT_FAILED => Err(io::Error::last_os_error()),
        reason => Ok(Some(reason.wrapping_sub(WAIT_OBJECT_0)).filter(|index| *index < number)),
    }
}

impl Wake {
    /// Wakes the thread that waits.
    pub(crate) fn wake(&self) {
        self.0.set();
    }
}
