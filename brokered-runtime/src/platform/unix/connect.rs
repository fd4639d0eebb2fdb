//! Connecting with a deadline.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;

use super::descriptors::set_close_on_exec;
use super::files::fits_endpoint;

pub(crate) fn connect(path: &Path, deadline: Instant) -> io::Result<IpcStream> {
    let (address, length) = address(path)?;
    let mut stream = new_socket(NONBLOCKING)?;
    match connect_to(&stream, &address, length) {
        Ok(()) => stream.set_nonblocking(false)?,
        // A portable build behaves like the systems on which a full backlog is a refusal.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && cfg!(brokered_portable) => {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        // The backlog is full. Only now is it worth another socket, on which the system can wait.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            stream = connect_until(&address, length, deadline)?;
        }
        Err(error) => return Err(error),
    }
    Ok(IpcStream::UdSocket(stream.into()))
}

/// Connects with blocking sockets, whose send timeout limits the wait for room in the backlog.
fn connect_until(
    address: &libc::sockaddr_un,
    length: libc::socklen_t,
    deadline: Instant,
) -> io::Result<UnixStream> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let stream = new_socket(0)?;
        stream.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
        match connect_to(&stream, address, length) {
            Ok(()) => {
                stream.set_write_timeout(None)?;
                return Ok(stream);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The address of a path, and the length of its part that is used.
fn address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let bytes = path.as_os_str().as_bytes();
    if !fits_endpoint(path) || bytes.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path is too long for a socket, or contains a NUL",
        ));
    }
    // SAFETY: an all-zero `sockaddr_un` is a valid value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    #[expect(clippy::cast_possible_truncation, reason = "`AF_UNIX` is 1")]
    {
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let length = mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    #[expect(clippy::cast_possible_truncation, reason = "110 at most")]
    Ok((address, length as libc::socklen_t))
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const NONBLOCKING: libc::c_int = libc::SOCK_NONBLOCK;
/// Systems without this flag need no non-blocking connect: a full backlog is a refusal there.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const NONBLOCKING: libc::c_int = 0;

#[cfg(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
))]
const CLOSE_ON_EXEC: libc::c_int = libc::SOCK_CLOEXEC;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
)))]
const CLOSE_ON_EXEC: libc::c_int = 0;

fn new_socket(flags: libc::c_int) -> io::Result<UnixStream> {
    // SAFETY: `socket` takes integers. The descriptor that it returns is new and has no owner.
    let socket = unsafe {
        let descriptor = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | CLOSE_ON_EXEC | flags, 0);
        if descriptor == -1 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(descriptor)
    };
    if CLOSE_ON_EXEC == 0 {
        set_close_on_exec(socket.as_raw_fd())?;
    }
    Ok(UnixStream::from(socket))
}

fn connect_to(
    socket: &UnixStream,
    address: &libc::sockaddr_un,
    length: libc::socklen_t,
) -> io::Result<()> {
    // SAFETY: the address is valid for reads of `length` bytes.
    let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const *address).cast(), length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
