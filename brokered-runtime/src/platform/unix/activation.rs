//! Socket activation and service manager notification.

use std::env;
use std::io;
#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
use std::os::fd::AsRawFd as _;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::time::Duration;

use interprocess::local_socket::Listener as IpcListener;

use super::descriptors::{set_close_on_exec, socket_option};
use super::listener::{as_unix, from_unix};

/// The first descriptor that systemd passes.
const FIRST_PASSED: RawFd = 3;

/// How long a notification waits for a service manager that is busy.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(1);

/// Must be called once, by the process that the listeners were passed to, before it opens a descriptor itself.
pub(crate) fn take_passed_listener(index: usize, passed: usize) -> io::Result<IpcListener> {
    let descriptor_at = |index: usize| {
        RawFd::try_from(index)
            .ok()
            .and_then(|index| FIRST_PASSED.checked_add(index))
            .ok_or(io::ErrorKind::InvalidInput)
    };
    for index in 0..passed {
        set_close_on_exec(descriptor_at(index)?)?;
    }
    let descriptor = descriptor_at(index)?;
    check_listener(descriptor)?;
    // SAFETY: the descriptor is open, and by the contract above it has no owner in this process yet.
    let listener = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(from_unix(UnixListener::from(listener)))
}

fn check_listener(descriptor: RawFd) -> io::Result<()> {
    let option = |option| socket_option(descriptor, option);
    if option(libc::SO_TYPE)? != libc::SOCK_STREAM || option(libc::SO_ACCEPTCONN)? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the descriptor that the service manager passed is not a listening stream socket \
             (use `ListenStream=` and `Accept=no`)",
        ));
    }
    Ok(())
}

pub(crate) fn listener_path(listener: &IpcListener) -> io::Result<Option<PathBuf>> {
    let address = as_unix(listener).local_addr()?;
    Ok(address.as_pathname().map(PathBuf::from))
}

/// The listener that launchd holds for this process under a name in its property list. `None` if launchd has not
/// started this process.
#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
pub(crate) fn take_launchd_listener(name: &std::ffi::CStr) -> io::Result<Option<IpcListener>> {
    unsafe extern "C" {
        fn launch_activate_socket(
            name: *const libc::c_char,
            descriptors: *mut *mut libc::c_int,
            count: *mut libc::size_t,
        ) -> libc::c_int;
    }
    let mut descriptors: *mut libc::c_int = std::ptr::null_mut();
    let mut count: libc::size_t = 0;
    // SAFETY: `name` ends with a NUL, and the two other pointers are valid for writes.
    let error =
        unsafe { launch_activate_socket(name.as_ptr(), &raw mut descriptors, &raw mut count) };
    match error {
        0 => {}
        // launchd has not started this process, or has no socket of this name.
        libc::ESRCH | libc::ENOENT => return Ok(None),
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    // SAFETY: launchd has filled an array of `count` new descriptors that have no owner. The caller must free the
    // array.
    let mut owned: Vec<OwnedFd> = unsafe {
        let owned = (0..count)
            .map(|index| OwnedFd::from_raw_fd(*descriptors.add(index)))
            .collect();
        libc::free(descriptors.cast());
        owned
    };
    if owned.len() != 1 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "launchd passed more than one socket, or none",
        ));
    }
    let Some(descriptor) = owned.pop() else {
        return Ok(None);
    };
    set_close_on_exec(descriptor.as_raw_fd())?;
    check_listener(descriptor.as_raw_fd())?;
    Ok(Some(from_unix(UnixListener::from(descriptor))))
}

/// Sends service manager notifications.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Notifier {
    /// The variable holds a path, or an abstract name after an `@`.
    pub(crate) fn from_variable(variable: &str) -> io::Result<Option<Self>> {
        let Some(value) = env::var_os(variable) else {
            return Ok(None);
        };
        let address = match value.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(&value)?,
            [b'@', name @ ..] => abstract_address(name)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(NOTIFY_TIMEOUT))?;
        Ok(Some(Self { socket, address }))
    }

    /// A service manager that does not listen misses the notification.
    pub(crate) fn notify(&self, message: &str) {
        let _ = self.socket.send_to_addr(message.as_bytes(), &self.address);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt as _;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt as _;

    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
