//! Binding, and listeners that another process has created.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use interprocess::local_socket::Listener as IpcListener;

/// Linux alone: elsewhere sockets are not created with close-on-exec, and a descriptor may be lost when its sender
/// closes it before it is received.
pub(crate) const CAN_PASS_LISTENERS: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
));

pub(crate) const CAN_PASS_LOCKS: bool = true;

pub(crate) const MESSAGES_KEEP_DESCRIPTORS_OPEN: bool = cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
));

/// The listener of the standard library inside.
pub(super) fn as_unix(listener: &IpcListener) -> &UnixListener {
    let IpcListener::UdSocket(listener) = listener;
    listener.inner()
}

/// Wraps a listener of the standard library. `interprocess` then never unlinks its path. For a listener that it has
/// created, it unlinks the path without checking whose socket is there.
pub(super) fn from_unix(listener: UnixListener) -> IpcListener {
    IpcListener::UdSocket(listener.into())
}

pub(crate) fn bind(path: &Path) -> io::Result<IpcListener> {
    UnixListener::bind(path).map(from_unix)
}

pub(crate) fn listen_again(listener: &IpcListener) -> io::Result<()> {
    // SAFETY: `listen` takes integers, and the descriptor is open while `listener` lives.
    if unsafe { libc::listen(as_unix(listener).as_raw_fd(), LARGEST_BACKLOG) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Linux reads a negative number as the largest backlog that the administrator allows.
const LARGEST_BACKLOG: libc::c_int = if cfg!(any(target_os = "linux", target_os = "android")) {
    -1
} else {
    libc::SOMAXCONN
};

pub(crate) fn listens_at(listener: &IpcListener, path: &Path) -> io::Result<bool> {
    Ok(as_unix(listener).local_addr()?.as_pathname() == Some(path))
}
