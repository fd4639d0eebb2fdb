//! Other processes, named by something better than their number, and time that nobody sets.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time since the machine was started, with the time that it slept.
pub(crate) fn uptime() -> Duration {
    read_clock(UPTIME).unwrap_or_default()
}

/// What a clock shows. `None` if there is no such clock, or no longer.
pub(super) fn read_clock(clock: libc::clockid_t) -> Option<Duration> {
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

#[cfg(any(target_os = "linux", target_os = "android"))]
const UPTIME: libc::clockid_t = libc::CLOCK_BOOTTIME;
/// On macOS this one goes on while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const UPTIME: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// A process that can't turn into another one while this is held, as its number could.
#[derive(Debug)]
pub(crate) struct OtherProcess(handle::Handle);

impl OtherProcess {
    /// The process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        handle::Handle::open(pid).map(Self)
    }

    /// Why this is not the process that had this number at a time since the machine's start, and has this
    /// directory open. `None` if it is.
    pub(crate) fn identity_mismatch(
        &self,
        began_before: Option<Duration>,
        has_open: &Path,
    ) -> Option<String> {
        self.0.identity_mismatch(began_before, has_open)
    }

    /// Sends `SIGTERM`.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.0.signal(libc::SIGTERM)
    }

    /// Sends `SIGKILL`.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.0.signal(libc::SIGKILL)
    }

    /// Waits for its end. Whether it has ended.
    pub(crate) fn wait(&self, deadline: Instant) -> io::Result<bool> {
        self.0.wait(deadline)
    }
}

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
mod handle {
    use std::fs;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::super::process_age::began;

    #[derive(Debug)]
    pub(super) struct Handle {
        pid: u32,
        descriptor: OwnedFd,
    }

    impl Handle {
        pub(super) fn open(pid: u32) -> io::Result<Self> {
            let number = libc::pid_t::try_from(pid)
                .map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
            if number <= 0 {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            // SAFETY: `pidfd_open` takes integers, and its descriptor is nobody else's yet.
            let descriptor = unsafe {
                let descriptor = libc::syscall(libc::SYS_pidfd_open, number, 0);
                if descriptor < 0 {
                    return Err(io::Error::last_os_error());
                }
                let descriptor = libc::c_int::try_from(descriptor)
                    .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                OwnedFd::from_raw_fd(descriptor)
            };
            Ok(Self { pid, descriptor })
        }

        pub(super) fn identity_mismatch(
            &self,
            began_before: Option<Duration>,
            has_open: &Path,
        ) -> Option<String> {
            let Some(began_before) = began_before else {
                return Some("the record does not say when it began".to_owned());
            };
            match began(self.pid) {
                Some(began) if began > began_before => {
                    return Some("it began after the daemon was recorded".to_owned());
                }
                Some(_) => {}
                None => return Some("the system does not say when it began".to_owned()),
            }
            // Should it have ended meanwhile, its number may be another's by now, and what was read, too: then
            // there is nobody whom the descriptor leads to.
            match has_directory_open(self.pid, has_open) {
                Ok(true) => None,
                Ok(false) => Some(format!("it does not hold {}", has_open.display())),
                Err(error) => Some(format!("what it holds cannot be seen ({error})")),
            }
        }

        pub(super) fn signal(&self, signal: libc::c_int) -> io::Result<()> {
            // SAFETY: with no `siginfo`, `pidfd_send_signal` takes integers.
            let sent = unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    self.descriptor.as_raw_fd(),
                    signal,
                    std::ptr::null::<libc::siginfo_t>(),
                    0,
                )
            };
            if sent == 0 {
                return Ok(());
            }
            match io::Error::last_os_error() {
                // It has ended by itself.
                error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
                error => Err(error),
            }
        }

        pub(super) fn wait(&self, deadline: Instant) -> io::Result<bool> {
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let mut watched = libc::pollfd {
                    fd: self.descriptor.as_raw_fd(),
                    events: libc::POLLIN,
                    revents: 0,
                };
                let milliseconds =
                    libc::c_int::try_from(left.as_millis()).unwrap_or(libc::c_int::MAX);
                // SAFETY: `watched` is one valid `pollfd`.
                match unsafe { libc::poll(&raw mut watched, 1, milliseconds) } {
                    0 if left <= Duration::from_millis(1) => return Ok(false),
                    0 => {}
                    1 => return Ok(true),
                    _ => match io::Error::last_os_error() {
                        error if error.kind() == io::ErrorKind::Interrupted => {}
                        error => return Err(error),
                    },
                }
            }
        }
    }

    fn has_directory_open(pid: u32, directory: &Path) -> io::Result<bool> {
        let directory = fs::symlink_metadata(directory)?;
        for open in fs::read_dir(format!("/proc/{pid}/fd"))? {
            // It may be closed again by now.
            if let Ok(open) = fs::metadata(open?.path())
                && (open.dev(), open.ino()) == (directory.dev(), directory.ino())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Elsewhere a process has no name but its number.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
mod handle {
    use std::convert::Infallible;
    use std::io;
    use std::path::Path;
    use std::time::{Duration, Instant};

    #[derive(Debug)]
    pub(super) struct Handle(Infallible);

    impl Handle {
        pub(super) fn open(_pid: u32) -> io::Result<Self> {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "on this platform a process can't be told from a later one with its number",
            ))
        }

        pub(super) fn identity_mismatch(
            &self,
            _began_before: Option<Duration>,
            _has_open: &Path,
        ) -> Option<String> {
            match self.0 {}
        }

        pub(super) fn signal(&self, _signal: libc::c_int) -> io::Result<()> {
            match self.0 {}
        }

        pub(super) fn wait(&self, _deadline: Instant) -> io::Result<bool> {
            match self.0 {}
        }
    }
}
