//! Questions and settings that concern one descriptor.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// Sets close-on-exec.
pub(super) fn set_close_on_exec(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: `fcntl` with `F_SETFD` takes integers and accesses no memory of this process.
    if unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Makes reads and writes block, after an open that did not.
pub(super) fn set_blocking(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: `fcntl` with `F_GETFL` and `F_SETFL` takes integers and accesses no memory of this process.
    let result = unsafe {
        match libc::fcntl(descriptor, libc::F_GETFL) {
            -1 => -1,
            flags => libc::fcntl(descriptor, libc::F_SETFL, flags & !libc::O_NONBLOCK),
        }
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Reads a socket option at the level `SOL_SOCKET` whose value is an integer.
pub(super) fn socket_option(descriptor: RawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    #[expect(clippy::cast_possible_truncation, reason = "four bytes")]
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` is valid for writes of `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            descriptor,
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}

/// The inode that a descriptor is open on. Async-signal-safe: a forked child may call it.
pub(super) fn inode(descriptor: RawFd) -> Option<u64> {
    let mut metadata = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `metadata` is valid for writes. It is read only after the call has filled it.
    let metadata = unsafe {
        if libc::fstat(descriptor, metadata.as_mut_ptr()) != 0 {
            return None;
        }
        metadata.assume_init()
    };
    #[allow(clippy::unnecessary_cast, reason = "not as wide on every system")]
    Some(metadata.st_ino as u64)
}

/// The number of bytes that have arrived and were not read.
pub(super) fn unread(descriptor: RawFd) -> io::Result<libc::c_int> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: `FIONREAD` writes one integer, and `bytes` is valid for that.
    if unsafe { libc::ioctl(descriptor, libc::FIONREAD, &raw mut bytes) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(bytes)
}
