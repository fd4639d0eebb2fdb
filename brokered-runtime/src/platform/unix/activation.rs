//! What a service manager hands to the process that it starts: listeners by number, and a socket to report to.

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

use super::socket::{as_unix, from_unix};

/// The number of the first listener that systemd passes.
const FIRST: RawFd = 3;

/// How long a service manager that is busy is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes over the listener with this place among those that were passed. All that were passed are kept from
/// children first.
///
/// To be called once, by the process for which they are meant, before it opens anything itself.
pub(crate) fn take_passed_listener(place: usize, passed: usize) -> io::Result<IpcListener> {
    let number = |place: usize| {
        RawFd::try_from(place)
            .ok()
            .and_then(|place| FIRST.checked_add(place))
            .ok_or(io::ErrorKind::InvalidInput)
    };
    for place in 0..passed {
        // SAFETY: `fcntl` with `F_SETFD` takes an integer and touches no memory of ours.
        if unsafe { libc::fcntl(number(place)?, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    let descriptor = number(place)?;
    check_listener(descriptor)?;
    // SAFETY: it is open, and by the contract above nobody else in this process owns it.
    let listener = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(from_unix(UnixListener::from(listener)))
}

fn check_listener(descriptor: RawFd) -> io::Result<()> {
    let is = |option| socket_option(descriptor, option);
    if is(libc::SO_TYPE)? != libc::SOCK_STREAM || is(libc::SO_ACCEPTCONN)? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "what the service manager has passed is no stream socket that listens (`ListenStream=`, and \
             `Accept=no`)",
        ));
    }
    Ok(())
}

fn socket_option(descriptor: RawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    #[expect(clippy::cast_possible_truncation, reason = "four bytes")]
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` is valid for writes of `length` bytes.
    let asked = unsafe {
        libc::getsockopt(
            descriptor,
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if asked != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}

/// Where a listener is bound, if that is a path.
pub(crate) fn path_of(listener: &IpcListener) -> io::Result<Option<PathBuf>> {
    let address = as_unix(listener).local_addr()?;
    Ok(address.as_pathname().map(PathBuf::from))
}

/// The listener that launchd holds for this process under a name in its property list. `None` if launchd has
/// not started it.
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
    // SAFETY: `name` ends with a NUL, and the two others are valid for writes.
    let error =
        unsafe { launch_activate_socket(name.as_ptr(), &raw mut descriptors, &raw mut count) };
    match error {
        0 => {}
        // Not one of launchd's, or it knows no such socket.
        libc::ESRCH | libc::ENOENT => return Ok(None),
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    // SAFETY: launchd has filled an array of `count` descriptors, new and owned by nobody else, which is to be
    // freed.
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
            "launchd has passed more than one socket, or none",
        ));
    }
    let Some(descriptor) = owned.pop() else {
        return Ok(None);
    };
    // SAFETY: `fcntl` with `F_SETFD` takes an integer and touches no memory of ours.
    unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    check_listener(descriptor.as_raw_fd())?;
    Ok(Some(from_unix(UnixListener::from(descriptor))))
}

/// Where this process reports to its service manager.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: UnixDatagram,
    to: SocketAddr,
}

impl Notifier {
    /// The one that this variable names: a path, or an abstract name behind an `@`.
    pub(crate) fn named_by(variable: &str) -> io::Result<Option<Self>> {
        let Some(named) = env::var_os(variable) else {
            return Ok(None);
        };
        let to = match named.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(&named)?,
            [b'@', name @ ..] => abstract_address(name)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Some(Self { socket, to }))
    }

    /// Reports. Whoever does not listen misses it.
    pub(crate) fn tell(&self, what: &str) {
        let _ = self.socket.send_to_addr(what.as_bytes(), &self.to);
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
