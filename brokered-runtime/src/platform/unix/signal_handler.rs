//! The handler for the signals that ask a process to stop, and for `SIGHUP`.
//!
//! This is written here and not taken from a crate, because a crate for it was a tenth of the cost of building a small
//! daemon. Later handlers, such as tokio's, call this one: `signal-hook-registry` chains the handler that it finds. A
//! handler that was installed before `main`, by a constructor, is replaced.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::platform::types::WakeReason;

/// The byte that the handler writes. It only wakes the reader.
const SIGNAL: u8 = b'X';

/// Which signals have arrived since [`take`]. They are flags, because a byte is lost if the socket is full: a flood of
/// one signal would hide the other.
static STOP: AtomicBool = AtomicBool::new(false);
static HANG_UP: AtomicBool = AtomicBool::new(false);

/// Where the handler writes. It stays open for the life of the process, because a handler can run at any time.
static WRITER: AtomicI32 = AtomicI32::new(NONE);
const NONE: RawFd = -1;

/// The process that installed the handler. A child that is forked without `exec` inherits handler and socket.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// From now on, each of the signals sets a flag and writes a byte to this socket, which must be non-blocking.
pub(super) fn install(signals: &[libc::c_int], writer: UnixStream) -> io::Result<()> {
    WRITER.store(writer.into_raw_fd(), Ordering::Release);
    // SAFETY: `getpid` takes nothing and cannot fail.
    OWNER.store(unsafe { libc::getpid() }, Ordering::Release);
    for signal in signals {
        handle(*signal)?;
    }
    Ok(())
}

/// Whether [`take`] has something to return.
pub(super) fn has_arrived() -> bool {
    STOP.load(Ordering::SeqCst) || HANG_UP.load(Ordering::SeqCst)
}

/// The signal that has arrived: one that asks the process to stop before `SIGHUP`, which the next call returns.
pub(super) fn take() -> Option<WakeReason> {
    if STOP.swap(false, Ordering::SeqCst) {
        Some(WakeReason::Signal)
    } else if HANG_UP.swap(false, Ordering::SeqCst) {
        Some(WakeReason::HangUp)
    } else {
        None
    }
}

fn handle(signal: libc::c_int) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all bytes of a `sigaction` may be zero. `write_byte` has the signature that a handler without
    // `SA_SIGINFO` must have, and calls only functions that are safe in a signal handler.
    let installed = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = write_byte as *const () as libc::sighandler_t;
        // A system call that the signal interrupts is restarted.
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, action, ptr::null_mut())
    };
    if installed != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Runs as a signal handler: makes few system calls, and preserves `errno`.
extern "C" fn write_byte(signal: libc::c_int) {
    let writer = WRITER.load(Ordering::Acquire);
    let owner = OWNER.load(Ordering::Acquire);
    // SAFETY: `errno` of the current thread always exists. `getpid`, `write`, `signal` and `raise` are safe in a signal
    // handler, the byte is valid for reads, and the descriptor is never closed. A full socket needs no further byte: its
    // reader looks at the flags.
    unsafe {
        let errno = errno();
        let before = *errno;
        if libc::getpid() == owner {
            let flag = if signal == libc::SIGHUP {
                &HANG_UP
            } else {
                &STOP
            };
            flag.store(true, Ordering::SeqCst);
            libc::write(writer, ptr::from_ref(&SIGNAL).cast(), 1);
        } else {
            // In a forked child, the byte would stop the daemon. The signal ends the child when this returns.
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        *errno = before;
    }
}

/// Where the current thread's `errno` is.
fn errno() -> *mut libc::c_int {
    // SAFETY: these functions take nothing and only return an address.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "dragonfly"))]
        return libc::__errno_location();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "solaris", target_os = "illumos"))]
        return libc::___errno();
    }
}
