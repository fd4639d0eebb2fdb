//! What a process is doing, and which run of the machine this is.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use crate::platform::Glimpse;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn clock(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` is valid for writes, and read only if the call has filled it.
    let time = unsafe {
        if libc::clock_gettime(clock, time.as_mut_ptr()) != 0 {
            return None;
        }
        time.assume_init()
    };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

/// What tells one run of the machine from the next. Empty where nothing does.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim_end().to_owned()
}

/// What a process is doing. `None` where the system does not tell, or there is none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn glimpse(pid: u32) -> Option<Glimpse> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut is_asleep = true;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        // The name is in parentheses and may hold anything.
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        is_asleep &= state == 'S';
    }
    let mut id = MaybeUninit::<libc::clockid_t>::uninit();
    // SAFETY: `id` is valid for writes, and read only if the call has filled it.
    let id = unsafe {
        if libc::clock_getcpuclockid(pid, id.as_mut_ptr()) != 0 {
            return None;
        }
        id.assume_init()
    };
    Some(Glimpse {
        is_asleep,
        cpu_time: clock(id)?,
    })
}

/// What a process is doing. Other systems do not tell at a glance.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn glimpse(_pid: u32) -> Option<Glimpse> {
    None
}

/// Kills a child of this process that is still alive, and nobody else, should its number be another one's
/// by then.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn kill_process(pid: u32) -> io::Result<()> {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    let number = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `pidfd_open` takes integers, and its descriptor is nobody else's yet.
    let process = unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, number, 0);
        match libc::c_int::try_from(descriptor) {
            Ok(descriptor) if descriptor >= 0 => OwnedFd::from_raw_fd(descriptor),
            _ => return Err(io::Error::last_os_error()),
        }
    };
    if !is_child(number) {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: integers and a null pointer, which stands for no further information.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if sent == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether a process is a child of this one that nobody has waited for.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_child(pid: libc::pid_t) -> bool {
    let Ok(id) = libc::id_t::try_from(pid) else {
        return false;
    };
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: `info` is valid for writes; nothing is reaped, and nothing waited for.
    unsafe {
        libc::waitid(
            libc::P_PID,
            id,
            info.as_mut_ptr(),
            libc::WEXITED | libc::WNOWAIT | libc::WNOHANG,
        ) == 0
    }
}

/// Kills a child of this process. Not where a process can only be named by a number that may be another
/// one's by then.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn kill_process(_pid: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
