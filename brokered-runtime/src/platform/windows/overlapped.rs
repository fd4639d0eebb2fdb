//! Reading and writing with a deadline. `interprocess` has no time-outs on pipes; its handles are overlapped, so that
//! an operation can be given up.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_HANDLE_EOF, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED,
    ERROR_PIPE_NOT_CONNECTED,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, ResetEvent, SetEvent, WaitForSingleObject,
};

use super::check;

/// Something that is signalled or not, and can be waited for beside others.
#[derive(Debug)]
pub(super) struct Event(OwnedHandle);

impl Event {
    /// One that goes back by itself when a wait has seen it.
    pub(super) fn seen_once() -> io::Result<Self> {
        Self::new(false)
    }

    /// One that stays as it was set.
    pub(super) fn lasting() -> io::Result<Self> {
        Self::new(true)
    }

    fn new(is_lasting: bool) -> io::Result<Self> {
        // SAFETY: an event without a name takes no pointers; its handle is nobody else's yet.
        unsafe {
            let handle = CreateEventW(ptr::null(), i32::from(is_lasting), 0, ptr::null());
            if handle.is_null() {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedHandle::from_raw_handle(handle)))
        }
    }

    pub(super) fn set(&self) {
        // SAFETY: the handle is open as long as `self` lives.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    pub(super) fn reset(&self) {
        // SAFETY: the handle is open as long as `self` lives.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }
}

impl AsRawHandle for Event {
    fn as_raw_handle(&self) -> std::os::windows::io::RawHandle {
        self.0.as_raw_handle()
    }
}

/// Time until a deadline as the system wants it: rounded up, so that nobody wakes before it and has to sleep once more.
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

/// Reads what there is, and waits for it until the deadline, or for ever. `None` if nothing has come; 0 bytes are the end.
pub(super) fn read(
    pipe: BorrowedHandle<'_>,
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> io::Result<Option<usize>> {
    let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let done = transfer(pipe, deadline, |overlapped| {
        // SAFETY: `transfer` returns only when the operation is over, so the buffer and the overlapped structure
        // outlive it. The buffer is valid for writes of `length` bytes.
        unsafe {
            ReadFile(
                pipe.as_raw_handle(),
                buffer.as_mut_ptr(),
                length,
                ptr::null_mut(),
                overlapped,
            )
        }
    });
    match done {
        Err(error) if is_end(&error) => Ok(Some(0)),
        done => done,
    }
}

/// Writes, and waits for room until the deadline. How much of it was written.
pub(super) fn write(
    pipe: BorrowedHandle<'_>,
    bytes: &[u8],
    deadline: Option<Instant>,
) -> io::Result<usize> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let done = transfer(pipe, deadline, |overlapped| {
        // SAFETY: as in `read`; the bytes are valid for reads of `length` bytes.
        unsafe {
            WriteFile(
                pipe.as_raw_handle(),
                bytes.as_ptr(),
                length,
                ptr::null_mut(),
                overlapped,
            )
        }
    });
    done.map(Option::unwrap_or_default)
}

/// Starts an operation, and waits until it is over, or was given up at the deadline and has nothing to show.
fn transfer(
    pipe: BorrowedHandle<'_>,
    deadline: Option<Instant>,
    start: impl FnOnce(*mut OVERLAPPED) -> windows_sys::core::BOOL,
) -> io::Result<Option<usize>> {
    let event = Event::lasting()?;
    let mut overlapped = OVERLAPPED {
        hEvent: event.as_raw_handle(),
        ..OVERLAPPED::default()
    };
    if start(&raw mut overlapped) == 0 {
        let error = io::Error::last_os_error();
        if !is(&error, ERROR_IO_PENDING) {
            return Err(error);
        }
        // SAFETY: both handles are open as long as they are borrowed; the operation that is given up is this one,
        // whose structure is still there.
        unsafe {
            WaitForSingleObject(event.as_raw_handle(), milliseconds(deadline));
            CancelIoEx(pipe.as_raw_handle(), &raw const overlapped);
        }
    }
    let mut length = 0;
    // SAFETY: this waits until the operation is over, given up or not, so nothing of it is used after this call.
    let result = check(unsafe {
        GetOverlappedResult(
            pipe.as_raw_handle(),
            &raw const overlapped,
            &raw mut length,
            1,
        )
    });
    match result {
        Ok(()) => Ok(Some(length as usize)),
        Err(error) if is(&error, ERROR_OPERATION_ABORTED) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How much has come that was not read yet, and as much of it as the buffer takes. Nothing is taken out.
pub(super) fn peek(pipe: BorrowedHandle<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let size = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let mut available = 0;
    // SAFETY: the buffer is valid for writes of `size` bytes, and `available` for one number.
    check(unsafe {
        PeekNamedPipe(
            pipe.as_raw_handle(),
            buffer.as_mut_ptr().cast(),
            size,
            ptr::null_mut(),
            &raw mut available,
            ptr::null_mut(),
        )
    })?;
    Ok(available as usize)
}

/// A deadline that is over.
pub(super) fn at_once() -> Option<Instant> {
    let now = Instant::now();
    Some(now.checked_sub(Duration::from_millis(1)).unwrap_or(now))
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// Whether an error says no more than that the other side is gone.
fn is_end(error: &io::Error) -> bool {
    is(error, ERROR_BROKEN_PIPE)
        || is(error, ERROR_PIPE_NOT_CONNECTED)
        || is(error, ERROR_HANDLE_EOF)
}
