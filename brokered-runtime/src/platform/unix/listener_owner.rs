//! Who listens at the other end, and how much this process may open.

use interprocess::local_socket::Stream as IpcStream;

/// The process that listens at the other end, as the kernel noted it. `None` where it does not tell.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn listening_process(stream: &IpcStream) -> Option<u32> {
    use interprocess::local_socket::traits::StreamCommon;

    let pid = stream.peer_creds().ok()?.pid()?;
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}

/// The process that listens at the other end. `None` where the system does not tell.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) fn listening_process(_stream: &IpcStream) -> Option<u32> {
    None
}

/// How many files this process may have open. `None` if there is no limit.
pub(crate) fn open_files_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if asked != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "FreeBSD's limits are signed, and never negative"
    )]
    Some(limit.rlim_cur as u64)
}
