//! Descriptors in reserve, and how many descriptors this process has open.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::accept::AcceptQueue;
use super::listener::as_unix;

/// A descriptor of a socket of its own: the system limits the number of open files, too, and a duplicate is none. A socket
/// needs no path, and a daemon may have left its root directory.
#[derive(Debug)]
pub(crate) struct ReservedDescriptor(#[allow(dead_code, reason = "it is only closed")] OwnedFd);

impl ReservedDescriptor {
    pub(crate) fn open() -> io::Result<Self> {
        UnixDatagram::unbound().map(|socket| Self(socket.into()))
    }
}

pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

pub(crate) fn wait_for_client(queue: &AcceptQueue, timeout: Duration) -> bool {
    is_readable(as_unix(queue), timeout)
}

/// Waits until a descriptor is readable, at most for the timeout, and returns whether it is.
pub(super) fn is_readable(descriptor: &impl AsRawFd, timeout: Duration) -> bool {
    let mut entry = libc::pollfd {
        fd: descriptor.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: `entry` is one valid `pollfd`, and its descriptor is borrowed.
    unsafe { libc::poll(&raw mut entry, 1, milliseconds) != 0 }
}

/// Linux reports the number as the size of the directory, from version 6.2 on. No descriptor is needed for that.
/// Elsewhere the directory is read, which needs one and sees it, too.
pub(crate) fn open_descriptors() -> Option<u64> {
    if cfg!(all(
        any(target_os = "linux", target_os = "android"),
        not(brokered_portable)
    )) && let Ok(directory) = fs::metadata("/proc/self/fd")
        && directory.len() > 0
    {
        return Some(directory.len());
    }
    // On the BSDs the directory usually shows the standard descriptors alone.
    if !cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos"
    )) {
        return None;
    }
    let entries = fs::read_dir("/dev/fd").ok()?.count();
    u64::try_from(entries).ok()?.checked_sub(1)
}
