//! Other processes. A handle refers to one, because its process ID may be reused for another process.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    TerminateProcess, WaitForSingleObject,
};

use super::clock::{time_of_day, uptime};
use super::event::milliseconds;
use super::ffi::check;
use super::process_age::started_at;

/// A reference that stays with one process. While it exists, the ID of the process is not reused.
#[derive(Debug)]
pub(crate) struct OtherProcess(OwnedHandle);

impl OtherProcess {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE).map(Self)
    }

    /// Does not check the open directory: a process that started before the record was written has had the ID since
    /// then.
    pub(crate) fn identity_mismatch(
        &self,
        started_before: Option<Duration>,
        _open_directory: &Path,
    ) -> Option<String> {
        let Some(started_before) = started_before else {
            return Some("the record does not say when it began".to_owned());
        };
        let Some(started) = started_at(self.0.as_handle()) else {
            return Some("the system does not say when it began".to_owned());
        };
        let recorded = time_of_day().saturating_sub(uptime().saturating_sub(started_before));
        (started > recorded).then(|| "it began after the record was written".to_owned())
    }

    /// Only the control endpoint can ask a process to stop, and the caller has already tried that.
    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn terminate(&self) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "Windows has no signal that asks a process to stop; Task Manager ends it at once",
        ))
    }

    /// The handle has no right to end the process.
    #[cfg(feature = "operator")]
    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn kill(&self) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this is not implemented on Windows; Task Manager ends it at once",
        ))
    }

    pub(crate) fn wait(&self, deadline: Instant) -> io::Result<bool> {
        has_ended(self.0.as_handle(), Some(deadline))
    }
}

pub(crate) fn kill_child(pid: u32) -> io::Result<()> {
    let process = open(pid, PROCESS_TERMINATE)?;
    // SAFETY: the handle is open while `process` lives.
    check(unsafe { TerminateProcess(process.as_raw_handle(), 1) })
}

fn open(pid: u32, access: u32) -> io::Result<OwnedHandle> {
    // SAFETY: this takes integers. The handle that it returns is new and has no owner.
    unsafe {
        let process = OpenProcess(access, 0, pid);
        if process.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(process))
    }
}

/// Waits for the end of a process until the deadline. Returns whether it has ended.
pub(super) fn has_ended(
    process: BorrowedHandle<'_>,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    // SAFETY: the handle is open while it is borrowed.
    match unsafe { WaitForSingleObject(process.as_raw_handle(), milliseconds(deadline)) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_TIMEOUT => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}
