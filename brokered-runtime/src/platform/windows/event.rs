//! Event objects, and the timeouts of waits.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use std::time::Instant;

use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, ResetEvent, SetEvent};

/// An event object: it is set or not, and a thread can wait for several of them.
#[derive(Debug)]
pub(super) struct Event(OwnedHandle);

impl Event {
    /// An event that a successful wait resets.
    pub(super) fn auto_reset() -> io::Result<Self> {
        Self::new(false)
    }

    /// An event that stays set until [`reset`](Self::reset).
    pub(super) fn manual_reset() -> io::Result<Self> {
        Self::new(true)
    }

    fn new(is_manual_reset: bool) -> io::Result<Self> {
        // SAFETY: an event without a name takes no pointers. The handle that the call returns is new and has no owner.
        unsafe {
            let handle = CreateEventW(ptr::null(), i32::from(is_manual_reset), 0, ptr::null());
            if handle.is_null() {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedHandle::from_raw_handle(handle)))
        }
    }

    pub(super) fn set(&self) {
        // SAFETY: the handle is open while `self` lives.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    pub(super) fn reset(&self) {
        // SAFETY: the handle is open while `self` lives.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }
}

impl AsRawHandle for Event {
    fn as_raw_handle(&self) -> RawHandle {
        self.0.as_raw_handle()
    }
}

/// The timeout of a wait. It is rounded up, so that the thread does not wake before the deadline and sleep again.
pub(super) fn milliseconds(deadline: Option<Instant>) -> u32 {
    let Some(deadline) = deadline else {
        return INFINITE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let whole = left.as_millis() + u128::from(left.subsec_nanos() % 1_000_000 != 0);
    u32::try_from(whole)
        .unwrap_or(INFINITE - 1)
        .min(INFINITE - 1)
}
