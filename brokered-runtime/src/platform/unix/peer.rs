//! Peer credentials: the user and the process at the other end of a connection.

use std::io;

use interprocess::local_socket::Stream as IpcStream;

use super::files::user_id;

pub(crate) fn foreign_peer(stream: &IpcStream) -> io::Result<Option<u32>> {
    let peer = peer_user(stream)?;
    Ok((peer != user_id()).then_some(peer))
}

/// `interprocess` reads the same credentials. But it sees the process ID 0 for a peer in another PID namespace, and
/// reports that as a broken connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer_user(stream: &IpcStream) -> io::Result<u32> {
    use std::os::fd::{AsFd, AsRawFd};

    let IpcStream::UdSocket(stream) = stream;
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "twelve bytes")]
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `credentials` is valid for writes of `length` bytes, and any bytes are a valid `ucred`.
    let result = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(credentials.uid)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer_user(stream: &IpcStream) -> io::Result<u32> {
    use interprocess::local_socket::traits::StreamCommon;

    stream
        .peer_creds()?
        .euid()
        .ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(all(
    feature = "operator",
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn listening_process(stream: &IpcStream) -> Option<u32> {
    use interprocess::local_socket::traits::StreamCommon;

    let pid = stream.peer_creds().ok()?.pid()?;
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}

#[cfg(all(
    feature = "operator",
    not(all(
        any(target_os = "linux", target_os = "android"),
        not(brokered_portable)
    ))
))]
pub(crate) fn listening_process(_stream: &IpcStream) -> Option<u32> {
    None
}
