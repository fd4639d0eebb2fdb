//! Peer credentials: the user and the process at the other end of a connection.

use std::io;
use std::path::Path;

use interprocess::local_socket::Stream as IpcStream;

use super::files::user_id;

pub(crate) fn foreign_peer(
    stream: &IpcStream,
    directory: Option<&Path>,
) -> io::Result<Option<u32>> {
    let peer = peer_user(stream)?;
    let is_foreign = peer != user_id()
        || (peer == UNMAPPED_USER && directory.is_some_and(|directory| !is_owned(directory)));
    Ok(is_foreign.then_some(peer))
}

/// The number that Linux shows for every user who has none in the user namespace of this process. If this process has
/// it, too, then equal numbers do not prove that two users are the same.
const UNMAPPED_USER: u32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    65534
} else {
    // No user has this number.
    u32::MAX
};

/// Whether the user of this process owns a directory, which no other user can write to. The system compares the users
/// themselves here and not their numbers: it permits `O_NOATIME` to the owner alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_owned(directory: &Path) -> bool {
    use std::fs::OpenOptions;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NOATIME)
        .open(directory)
        .and_then(|directory| directory.metadata())
        .is_ok_and(|metadata| metadata.mode() & 0o022 == 0)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_owned(_directory: &Path) -> bool {
    true
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
