//! This process: what it has inherited, its executable, and its end.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::process_activity::thread_count;

/// Closes all descriptors above standard error. The process must not own one of them yet.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn close_inherited_descriptors() {
    // SAFETY: by the contract above no descriptor above 2 has an owner yet. C libraries before glibc 2.34 lack a
    // function for this system call, so it is called by its number.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed != 0 {
        close_one_by_one();
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) fn close_inherited_descriptors() {
    close_one_by_one();
}

fn close_one_by_one() {
    let highest = 1 << 20;
    let end = match file_limit().map(|limit| libc::c_int::try_from(limit.rlim_cur)) {
        Some(Ok(limit)) => limit.min(highest),
        _ => highest,
    };
    for descriptor in 3..end {
        // SAFETY: as in `close_inherited_descriptors`, no descriptor above 2 has an owner yet.
        unsafe { libc::close(descriptor) };
    }
}

/// The limit of open files. `None` if the system does not report it.
fn file_limit() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (result == 0).then_some(limit)
}

pub(crate) fn open_files_limit() -> Option<u64> {
    let limit = file_limit()?;
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "FreeBSD's limits are signed, and never negative"
    )]
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}

/// The limit of the stack, which the main thread's stack can grow to. Without a limit, and for one that no thread could
/// have, it is the largest or smallest size here; only the address space is reserved.
pub(crate) fn main_stack_size() -> usize {
    const MIB: usize = 1 << 20;
    const UNLIMITED: usize = 64 * MIB;
    const LARGEST: usize = if cfg!(target_pointer_width = "64") {
        1024 * MIB
    } else {
        UNLIMITED
    };
    // What Rust gives a thread by default.
    const SMALLEST: usize = 2 * MIB;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    if result != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
        return UNLIMITED;
    }
    usize::try_from(limit.rlim_cur).map_or(LARGEST, |size| size.clamp(SMALLEST, LARGEST))
}

/// Resets the signals that are ignored, except `SIGPIPE`, and empties the signal mask. Handlers stay, because Rust's
/// runtime has installed one that reports stack overflows.
pub(crate) fn reset_signals() {
    for signal in 1..=LAST_SIGNAL {
        if signal != libc::SIGPIPE && is_ignored(signal) {
            // SAFETY: the default disposition installs no handler.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
    let mut empty = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before `sigprocmask` reads it.
    unsafe {
        libc::sigemptyset(empty.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, empty.as_ptr(), std::ptr::null_mut());
    }
}

/// The last real-time signal on Linux. Where a number is not a signal, the system reports an error, which is ignored.
const LAST_SIGNAL: libc::c_int = 64;

/// Whether a signal is ignored.
pub(super) fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, `sigaction` only writes the current one, and `action` is valid for that. It is
    // read only after the call has succeeded.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

pub(crate) fn detach_terminal() {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/tty");
    if let Ok(terminal) = terminal {
        // SAFETY: `TIOCNOTTY` takes no argument.
        unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) };
    }
}

pub(crate) fn redirect_stdin_to_null() -> io::Result<()> {
    let null = match File::open("/dev/null") {
        Ok(null) => OwnedFd::from(null),
        // A container may lack the device. A socket whose peer is closed is at its end as well.
        Err(_) => OwnedFd::from(UnixStream::pair()?.0),
    };
    // SAFETY: `dup2` replaces descriptor 0 atomically, and standard input has no owner.
    if unsafe { libc::dup2(null.as_raw_fd(), 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Does nothing if there may be a second thread, which could read the environment at the same time. A variable that
/// stays is harmless, because its nonce is used up.
pub(crate) fn remove_environment_variables(names: &[&str]) {
    if thread_count() != Some(1) {
        return;
    }
    for name in names {
        // SAFETY: no other thread exists that could access the environment.
        unsafe { env::remove_var(name) };
    }
}

pub(crate) fn end_process(code: u8) -> ! {
    // SAFETY: `_exit` takes an integer and does not return.
    unsafe { libc::_exit(libc::c_int::from(code)) }
}

#[cfg(feature = "fault-injection")]
pub(crate) fn kill_this_process() -> ! {
    // SAFETY: `raise` takes an integer.
    unsafe { libc::raise(libc::SIGKILL) };
    end_process(137)
}

/// On Linux `/proc/self/exe` leads to this executable even after its file was replaced.
pub(crate) fn current_executable() -> io::Result<PathBuf> {
    let path = env::current_exe().or_else(|error| started_as().ok_or(error))?;
    if cfg!(brokered_portable) {
        return Ok(path);
    }
    let running = PathBuf::from("/proc/self/exe");
    match (fs::metadata(&running), fs::metadata(&path)) {
        (Ok(running), Ok(at_path))
            if running.dev() == at_path.dev() && running.ino() == at_path.ino() =>
        {
            Ok(path)
        }
        (Ok(_), _) => Ok(running),
        (Err(_), _) => Ok(path),
    }
}

/// The path by which this executable was started. It is known without `/proc`, and may be a different file by now.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn started_as() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;

    // SAFETY: `getauxval` takes an integer. The kernel has put the address of a string there, which ends with a NUL and
    // lives as long as the process, or 0.
    let path = unsafe {
        let address = libc::getauxval(libc::AT_EXECFN) as *const libc::c_char;
        if address.is_null() {
            return None;
        }
        CStr::from_ptr(address)
    };
    let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
    // A relative path could mean another file, because the working directory can have changed.
    (path.is_absolute() && path.exists()).then_some(path)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn started_as() -> Option<PathBuf> {
    None
}

pub(crate) fn exec(command: &mut Command) -> io::Error {
    command.exec()
}
