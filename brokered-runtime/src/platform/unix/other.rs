//! Another process, told from whoever gets its number after it.

use std::io;
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;

/// A process that was looked up by its number. The handle stays that process's, also when it has ended and
/// its number is somebody else's.
#[derive(Debug)]
pub(crate) struct Process {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pid: u32,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    handle: std::os::fd::OwnedFd,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Process {
    /// The process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        use std::os::fd::{FromRawFd, OwnedFd};

        let number = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
        if number <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: `pidfd_open` takes integers; the descriptor it returns is new and owned by nobody else.
        let handle = unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, number, 0);
            match libc::c_int::try_from(descriptor) {
                Ok(descriptor) if descriptor >= 0 => OwnedFd::from_raw_fd(descriptor),
                _ => return Err(io::Error::last_os_error()),
            }
        };
        Ok(Self { pid, handle })
    }

    /// How long ago it was started. `None` if it has ended meanwhile.
    pub(crate) fn age(&self) -> io::Result<Option<Duration>> {
        let stat = match std::fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => stat,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // If this one still lives, what was read is about it and not about a successor.
        if self.has_ended(Instant::now())? {
            return Ok(None);
        }
        let started = started_after_boot(&stat)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no start time in stat"))?;
        Ok(Some(since_boot()?.saturating_sub(started)))
    }

    /// Sends it `SIGTERM`, and nobody else.
    pub(crate) fn ask_to_end(&self) -> io::Result<()> {
        use std::os::fd::AsRawFd;

        // SAFETY: integers, a descriptor that is open, and a null pointer, which stands for no further
        // information.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.handle.as_raw_fd(),
                libc::SIGTERM,
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

    /// Whether it has ended, looked at until the deadline.
    pub(crate) fn has_ended(&self, deadline: Instant) -> io::Result<bool> {
        use std::os::fd::AsRawFd;

        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let milliseconds = left.as_nanos().div_ceil(1_000_000);
            let mut poll = libc::pollfd {
                fd: self.handle.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: `poll` is one entry, valid for reads and writes.
            let ready = unsafe {
                libc::poll(
                    &raw mut poll,
                    1,
                    libc::c_int::try_from(milliseconds).unwrap_or(libc::c_int::MAX),
                )
            };
            match ready {
                0 if Instant::now() >= deadline => return Ok(false),
                0 => {}
                1.. => return Ok(true),
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// The start time in `/proc/<pid>/stat`: the 22nd field, and the name before it may hold anything.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn started_after_boot(stat: &str) -> Option<Duration> {
    let ticks: u64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    // SAFETY: `sysconf` takes an integer and touches no memory of ours.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let per_second = u64::try_from(per_second)
        .ok()
        .filter(|number| *number > 0)?;
    Some(
        Duration::from_secs(ticks / per_second)
            + Duration::from_secs(ticks % per_second) / u32::try_from(per_second).ok()?,
    )
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> io::Result<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes.
    if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    ))
}

/// Elsewhere a process can only be named by a number that may be another one's by then, so nothing is sent.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Process {
    pub(crate) fn open(_pid: u32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn age(&self) -> io::Result<Option<Duration>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn ask_to_end(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn has_ended(&self, _deadline: Instant) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The process that listens at the other end, as the kernel noted it. `None` where it does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn listening_process(stream: &IpcStream) -> Option<u32> {
    use interprocess::local_socket::traits::StreamCommon;

    let pid = stream.peer_creds().ok()?.pid()?;
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}

/// The process at the other end. `None` where the system does not tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn listening_process(stream: &IpcStream) -> Option<u32> {
    let _ = stream;
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
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "its type differs"
    )]
    (asked == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}
