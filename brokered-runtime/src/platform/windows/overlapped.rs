//! Overlapped I/O: reading and writing with a deadline.
//!
//! `interprocess` has no timeouts on pipes. Its handles are overlapped, so an operation can be cancelled.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_HANDLE_EOF, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED,
    ERROR_PIPE_NOT_CONNECTED,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::WaitForSingleObject;

use super::event::{Event, milliseconds};
use super::ffi::check;

/// Reads, and waits for bytes until the deadline. Without a deadline it waits indefinitely. `None` if nothing has
/// arrived, and 0 at the end of the stream.
pub(super) fn read(
    pipe: BorrowedHandle<'_>,
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> io::Result<Option<usize>> {
    let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let result = transfer(pipe, deadline, |overlapped| {
        // SAFETY: `transfer` returns only after the operation has completed, so the buffer and the `OVERLAPPED`
        // structure outlive it. The buffer is valid for writes of `length` bytes.
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
    match result {
        Err(error) if is_end(&error) => Ok(Some(0)),
        result => result,
    }
}

/// Writes, and waits for room until the deadline. Returns the number of bytes that were written.
pub(super) fn write(
    pipe: BorrowedHandle<'_>,
    bytes: &[u8],
    deadline: Option<Instant>,
) -> io::Result<usize> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let result = transfer(pipe, deadline, |overlapped| {
        // SAFETY: as in `read`. The bytes are valid for reads of `length` bytes.
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
    result.map(Option::unwrap_or_default)
}

/// Starts an operation and waits until it has completed. At the deadline the operation is cancelled. `None` if it was
/// cancelled before it had transferred anything.
fn transfer(
    pipe: BorrowedHandle<'_>,
    deadline: Option<Instant>,
    start: impl FnOnce(*mut OVERLAPPED) -> windows_sys::core::BOOL,
) -> io::Result<Option<usize>> {
    let event = Event::manual_reset()?;
    let mut overlapped = OVERLAPPED {
        hEvent: event.as_raw_handle(),
        ..OVERLAPPED::default()
    };
    if start(&raw mut overlapped) == 0 {
        let error = io::Error::last_os_error();
        if !is_code(&error, ERROR_IO_PENDING) {
            return Err(error);
        }
        // SAFETY: both handles are open while they are borrowed. Only the operation of this `OVERLAPPED` structure is
        // cancelled, and the structure is still alive.
        unsafe {
            WaitForSingleObject(event.as_raw_handle(), milliseconds(deadline));
            CancelIoEx(pipe.as_raw_handle(), &raw const overlapped);
        }
    }
    let mut length = 0;
    // SAFETY: the call waits until the operation has completed or was cancelled, so the system does not use the
    // structure or the buffer afterwards.
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
        Err(error) if is_code(&error, ERROR_OPERATION_ABORTED) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies bytes that have arrived into the buffer, and leaves them in the pipe. Returns how many have arrived.
pub(super) fn peek(pipe: BorrowedHandle<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let size = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let mut available = 0;
    // SAFETY: the buffer is valid for writes of `size` bytes, and `available` for writes of one number.
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

/// A deadline that has already passed: the operation does not wait.
pub(super) fn no_wait() -> Option<Instant> {
    let now = Instant::now();
    Some(now.checked_sub(Duration::from_millis(1)).unwrap_or(now))
}

fn is_code(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// Whether an error only means that the other end was closed.
fn is_end(error: &io::Error) -> bool {
    is_code(error, ERROR_BROKEN_PIPE)
        || is_code(error, ERROR_PIPE_NOT_CONNECTED)
        || is_code(error, ERROR_HANDLE_EOF)
}
