//! The standard handles, and whether child processes inherit a handle.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};

use windows_sys::Win32::Foundation::{
    HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_DISK, FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};

use super::ffi::check;

/// A standard handle.
#[derive(Debug, Clone, Copy)]
pub(super) enum StandardHandle {
    Input,
    Output,
    Error,
}

impl StandardHandle {
    pub(super) const ALL: [Self; 3] = [Self::Input, Self::Output, Self::Error];

    fn number(self) -> STD_HANDLE {
        match self {
            Self::Input => STD_INPUT_HANDLE,
            Self::Output => STD_OUTPUT_HANDLE,
            Self::Error => STD_ERROR_HANDLE,
        }
    }

    /// The handle, if this process has one.
    pub(super) fn get(self) -> Option<BorrowedHandle<'static>> {
        // SAFETY: only `redirect_stdin_to_null` closes a standard handle. It replaces the handle first, and runs before
        // any code of the daemon.
        unsafe {
            let handle = GetStdHandle(self.number());
            let is_valid = !handle.is_null() && handle != INVALID_HANDLE_VALUE;
            is_valid.then(|| BorrowedHandle::borrow_raw(handle))
        }
    }
}

/// Whether this is the handle of a pipe.
pub(super) fn is_pipe(handle: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open while it is borrowed.
    unsafe { GetFileType(handle.as_raw_handle()) == FILE_TYPE_PIPE }
}

/// Whether this is the handle of a file on a disk.
pub(super) fn is_disk_file(handle: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open while it is borrowed.
    unsafe { GetFileType(handle.as_raw_handle()) == FILE_TYPE_DISK }
}

/// Sets whether child processes inherit a handle.
pub(super) fn set_inheritable(handle: BorrowedHandle<'_>, is_inheritable: bool) -> io::Result<()> {
    let flags = if is_inheritable {
        HANDLE_FLAG_INHERIT
    } else {
        0
    };
    // SAFETY: the handle is open while it is borrowed.
    check(unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, flags) })
}
