//! Other processes. A pidfd refers to one, because its process ID may be reused for another process.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, Instant};

/// A reference that stays with one process, even after that has ended and its ID was reused.
#[derive(Debug)]
pub(crate) struct OtherProcess(handle::Handle);

impl OtherProcess {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        handle::Handle::open(pid).map(Self)
    }

    pub(crate) fn identity_mismatch(
        &self,
        started_before: Option<Duration>,
        open_directory: &Path,
    ) -> Option<String> {
        self.0.identity_mismatch(started_before, open_directory)
    }

    /// Sends `SIGTERM`.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.0.signal(libc::SIGTERM)
    }

    /// Sends `SIGKILL`.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.0.signal(libc::SIGKILL)
    }

    pub(crate) fn wait(&self, deadline: Instant) -> io::Result<bool> {
        self.0.wait(deadline)
    }
}

/// The check comes after opening, so that a process which has reused the ID is not killed.
///
/// Where a sandbox refuses the calls for pidfds, the ID alone must do: it cannot be reused before this process has
/// reaped the child, and it was not reaped at the moment before.
pub(crate) fn kill_child(pid: u32) -> io::Result<()> {
    let process = OtherProcess::open(pid);
    if matches!(&process, Err(error) if !handle::lacks_pidfd(error)) {
        return process.map(drop);
    }
    if !is_child(pid) {
        return Err(io::ErrorKind::NotFound.into());
    }
    match process.and_then(|process| process.kill()) {
        Err(error) if handle::lacks_pidfd(&error) => kill_by_id(pid),
        killed => killed,
    }
}

fn kill_by_id(pid: u32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: `kill` takes integers.
    if unsafe { libc::kill(pid, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether this is a child of this process that was not reaped.
#[allow(
    clippy::useless_conversion,
    reason = "the type is wider on some systems"
)]
fn is_child(pid: u32) -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: `info` is valid for writes. The flags keep the call from reaping the child and from blocking.
    unsafe {
        libc::waitid(
            libc::P_PID,
            pid.into(),
            info.as_mut_ptr(),
            libc::WEXITED | libc::WNOWAIT | libc::WNOHANG,
        ) == 0
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
    use std::thread;
    use std::time::{Duration, Instant};

    use super::super::process_age::started_at;

    /// How often to look for the end of a process that `poll` cannot wait for.
    const END_CHECK_INTERVAL: Duration = Duration::from_millis(5);

    #[derive(Debug)]
    pub(super) struct Handle {
        pid: u32,
        descriptor: OwnedFd,
        /// Whether the descriptor is a pidfd. If not, it is the directory of the process in `/proc`.
        is_pidfd: bool,
    }

    /// Whether an error means that the kernel is older than the calls for pidfds, or that a sandbox refuses them. Old
    /// filters say `EPERM` for calls that they do not know.
    pub(super) fn lacks_pidfd(error: &io::Error) -> bool {
        matches!(
            error.raw_os_error(),
            Some(libc::ENOSYS | libc::EPERM | libc::EACCES)
        )
    }

    impl Handle {
        pub(super) fn open(pid: u32) -> io::Result<Self> {
            let number = libc::pid_t::try_from(pid)
                .map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
            if number <= 0 {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            match open_pidfd(number) {
                Ok(descriptor) => Ok(Self {
                    pid,
                    descriptor,
                    is_pidfd: true,
                }),
                // The directory stays that of this process, and a signal can be sent through it.
                Err(error) if lacks_pidfd(&error) => Ok(Self {
                    pid,
                    descriptor: fs::File::open(format!("/proc/{pid}"))
                        .map_err(|_| error)?
                        .into(),
                    is_pidfd: false,
                }),
                Err(error) => Err(error),
            }
        }

        pub(super) fn identity_mismatch(
            &self,
            started_before: Option<Duration>,
            open_directory: &Path,
        ) -> Option<String> {
            let Some(started_before) = started_before else {
                return Some("the record does not say when it began".to_owned());
            };
            match started_at(self.pid) {
                Some(started) if started > started_before => {
                    return Some("it began after the record was written".to_owned());
                }
                Some(_) => {}
                None => {
                    return Some(
                        "the system does not say when it began, so `/proc` may not be mounted"
                            .to_owned(),
                    );
                }
            }
            // `/proc` is read by process ID. Should the process have ended, and the ID been reused, then the pidfd
            // refers to no process, and a signal to it reaches none.
            match has_directory_open(self.pid, open_directory) {
                Ok(true) => None,
                Ok(false) => Some(format!(
                    "it does not hold {} open",
                    open_directory.display()
                )),
                Err(error) => Some(format!("its open files cannot be read ({error})")),
            }
        }

        pub(super) fn signal(&self, signal: libc::c_int) -> io::Result<()> {
            // SAFETY: `pidfd_send_signal` takes integers, and accepts a null pointer for `siginfo`.
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
                // It has already ended.
                error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
                error => Err(error),
            }
        }

        pub(super) fn wait(&self, deadline: Instant) -> io::Result<bool> {
            if !self.is_pidfd {
                return Ok(self.wait_without_poll(deadline));
            }
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                let mut entry = libc::pollfd {
                    fd: self.descriptor.as_raw_fd(),
                    events: libc::POLLIN,
                    revents: 0,
                };
                let milliseconds =
                    libc::c_int::try_from(left.as_millis()).unwrap_or(libc::c_int::MAX);
                // SAFETY: `entry` is one valid `pollfd`.
                match unsafe { libc::poll(&raw mut entry, 1, milliseconds) } {
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

    impl Handle {
        /// `poll` cannot wait for a directory in `/proc`.
        fn wait_without_poll(&self, deadline: Instant) -> bool {
            loop {
                // An error of this process, such as too many open files, says nothing about the other one.
                let has_ended = self.has_ended().unwrap_or_else(|error| {
                    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
                });
                if has_ended || Instant::now() >= deadline {
                    return has_ended;
                }
                thread::sleep(END_CHECK_INTERVAL);
            }
        }

        fn has_ended(&self) -> io::Result<bool> {
            let directory = format!("/proc/self/fd/{}", self.descriptor.as_raw_fd());
            let stat = fs::read_to_string(format!("{directory}/stat"))?;
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
            if !state.is_some_and(|state| state.starts_with(['Z', 'X'])) {
                return Ok(false);
            }
            // The state is that of the first thread, and others may still run.
            let mut threads = 0;
            for thread in fs::read_dir(format!("{directory}/task"))? {
                thread?;
                threads += 1;
            }
            Ok(threads <= 1)
        }
    }

    fn open_pidfd(pid: libc::pid_t) -> io::Result<OwnedFd> {
        // SAFETY: `pidfd_open` takes integers. The descriptor that it returns is new and has no owner.
        unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            if descriptor < 0 {
                return Err(io::Error::last_os_error());
            }
            let descriptor = libc::c_int::try_from(descriptor)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            Ok(OwnedFd::from_raw_fd(descriptor))
        }
    }

    fn has_directory_open(pid: u32, directory: &Path) -> io::Result<bool> {
        let directory = fs::symlink_metadata(directory)?;
        for open in fs::read_dir(format!("/proc/{pid}/fd"))? {
            // A descriptor may have been closed since the directory was listed.
            if let Ok(open) = fs::metadata(open?.path())
                && (open.dev(), open.ino()) == (directory.dev(), directory.ino())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Whether a process has ended by what this directory says, which stands for the one in `/proc`.
        fn has_ended(directory: &Path) -> io::Result<bool> {
            let handle = Handle {
                pid: 0,
                descriptor: fs::File::open(directory)?.into(),
                is_pidfd: false,
            };
            handle.wait(Instant::now())
        }

        #[test]
        fn without_pidfds_only_a_process_that_is_gone_or_without_threads_has_ended()
        -> io::Result<()> {
            let directory = tempfile::tempdir()?;
            let directory = directory.path();
            assert!(has_ended(directory)?, "it is gone");

            let stat = directory.join("stat");
            fs::create_dir(&stat)?;
            assert!(!has_ended(directory)?, "its state cannot be read");
            fs::remove_dir(&stat)?;

            for thread in ["7", "8"] {
                fs::create_dir_all(directory.join("task").join(thread))?;
            }
            fs::write(&stat, "7 (a) Z) S 1 ")?;
            assert!(!has_ended(directory)?, "it sleeps");
            fs::write(&stat, "7 (a) S) Z 1 ")?;
            assert!(!has_ended(directory)?, "another thread runs");
            fs::remove_dir(directory.join("task/8"))?;
            assert!(has_ended(directory)?, "all threads have ended");
            Ok(())
        }
    }
}

/// Other systems have no pidfd.
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

    /// Without pidfds, no process is signalled.
    pub(super) fn lacks_pidfd(_error: &io::Error) -> bool {
        false
    }

    impl Handle {
        pub(super) fn open(_pid: u32) -> io::Result<Self> {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this platform cannot tell a process from a later one with the same ID",
            ))
        }

        pub(super) fn identity_mismatch(
            &self,
            _started_before: Option<Duration>,
            _open_directory: &Path,
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
