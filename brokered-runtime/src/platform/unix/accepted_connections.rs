//! The connections that this process has accepted, wherever the program keeps them.

use std::collections::BTreeMap;
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::descriptors::{inode, socket_option, unread};

/// The number of samples in a row that must find a connection quiet before its reading side is shut down.
///
/// Where the system does not tell which threads read, a client may still be sending its request. It gets two seconds.
const QUIET_SAMPLES: u32 = if cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)) {
    3
} else {
    20
};

/// The connections that this process has accepted on the socket at one path.
///
/// They are looked up only when they are needed, so that serving a connection costs nothing extra. `getsockname` tells
/// them apart: an accepted socket has the address of its listener, and the socket of a client never has.
#[derive(Debug)]
pub(crate) struct AcceptedConnections {
    path: PathBuf,
    /// For each quiet connection, by its inode: its reader, and the number of samples in a row that found it quiet.
    quiet: BTreeMap<u64, (Reader, u32)>,
}

impl AcceptedConnections {
    pub(crate) fn on(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            quiet: BTreeMap::new(),
        }
    }

    /// Takes a sample. Shuts down the reading side of the connections that were quiet in this sample and in the
    /// samples before: the same thread has waited for bytes all the time, and none have arrived. That thread then
    /// reads the end of the stream. It can still send a reply.
    pub(crate) fn shut_down_quiet(&mut self) {
        let mut quiet = BTreeMap::new();
        for (descriptor, reader) in readers() {
            if !self.is_accepted(descriptor) {
                continue;
            }
            // Another thread may close the descriptor and reuse its number. Only the copy is certain to stay the same
            // socket, so it is checked again, and it alone is shut down.
            let Ok(copy) = duplicate(descriptor) else {
                continue;
            };
            if !self.is_accepted(copy.as_raw_fd()) || is_listener(copy.as_raw_fd()) {
                continue;
            }
            if let (Some(inode), Ok(0)) = (inode(copy.as_raw_fd()), unread(copy.as_raw_fd())) {
                let samples = match self.quiet.get(&inode) {
                    Some((before, samples)) if *before == reader => samples + 1,
                    _ => 1,
                };
                if samples >= QUIET_SAMPLES {
                    // SAFETY: `shutdown` takes integers, and the descriptor is open while `copy` lives.
                    unsafe { libc::shutdown(copy.as_raw_fd(), libc::SHUT_RD) };
                }
                quiet.insert(inode, (reader, samples));
            }
        }
        self.quiet = quiet;
    }

    fn is_accepted(&self, descriptor: RawFd) -> bool {
        // SAFETY: an all-zero `sockaddr_un` is a valid value.
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        #[expect(clippy::cast_possible_truncation, reason = "110 at most")]
        let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        // SAFETY: `address` is valid for writes of `length` bytes.
        let result =
            unsafe { libc::getsockname(descriptor, (&raw mut address).cast(), &raw mut length) };
        if result != 0 || libc::c_int::from(address.sun_family) != libc::AF_UNIX {
            return false;
        }
        let path = self.path.as_os_str().as_bytes();
        let bound = address.sun_path.map(|byte| byte.to_ne_bytes()[0]);
        bound.get(..path.len()) == Some(path) && bound.get(path.len()).is_none_or(|end| *end == 0)
    }
}

/// A thread that reads a descriptor: its id, and how often it has been scheduled. Two equal values mean that the
/// thread has not run in between.
type Reader = (u32, u64);

/// The descriptors that threads of this process are blocked in reading, with their readers.
///
/// A non-blocking read, as executors use it, does not count. Such a program learns of the shutdown in other ways.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
fn readers() -> Vec<(RawFd, Reader)> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| {
            let thread = thread.ok()?;
            let id = thread.file_name().to_str()?.parse().ok()?;
            // Read this before the system call: should the thread run in between, the next sample shows it.
            let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let scheduled = statistics.split_whitespace().nth(2)?.parse().ok()?;
            let call = fs::read_to_string(thread.path().join("syscall")).ok()?;
            Some((descriptor_read_by(&call)?, (id, scheduled)))
        })
        .collect()
}

/// The descriptor that a system call reads. The text holds the number of the call in decimal, then its arguments in
/// hexadecimal.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
fn descriptor_read_by(call: &str) -> Option<RawFd> {
    let mut words = call.split_whitespace();
    let number: libc::c_long = words.next()?.parse().ok()?;
    let reads = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
    ];
    let descriptor = words.next()?.strip_prefix("0x")?;
    reads
        .contains(&number)
        .then(|| RawFd::from_str_radix(descriptor, 16).ok())?
}

/// Where the system does not tell which threads read, all descriptors that may be open are candidates.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
fn readers() -> Vec<(RawFd, Reader)> {
    (3..4096).map(|descriptor| (descriptor, (0, 0))).collect()
}

fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `fcntl` with `F_DUPFD_CLOEXEC` takes integers. The descriptor that it returns is new and has no owner.
    unsafe {
        match libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) {
            -1 => Err(io::Error::last_os_error()),
            copy => Ok(OwnedFd::from_raw_fd(copy)),
        }
    }
}

/// Whether a socket listens. A socket that cannot be asked counts as one that does, so that it is left alone.
fn is_listener(descriptor: RawFd) -> bool {
    socket_option(descriptor, libc::SO_ACCEPTCONN).map_or(true, |listens| listens != 0)
}

#[cfg(all(test, target_os = "linux", not(brokered_portable)))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn only_a_connection_on_which_a_thread_waits_in_vain_is_shut_down()
    -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path)?;
        let mut silent = UnixStream::connect(&path)?;
        let (mut for_silent, _) = listener.accept()?;
        let mut busy = UnixStream::connect(&path)?;
        let (mut for_busy, _) = listener.accept()?;
        let unread = UnixStream::connect(&path)?;
        let (mut for_unread, _) = listener.accept()?;
        let waiting = thread::spawn(move || for_silent.read(&mut [0; 8]).map(|_| for_silent));
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            for_busy.read_to_end(&mut all).map(|_| all)
        });
        let mut connections = AcceptedConnections::on(&path);
        for _ in 0..20 {
            busy.write_all(b"x")?;
            // Samples are taken at intervals, as in a drain.
            thread::sleep(Duration::from_millis(10));
            connections.shut_down_quiet();
        }
        // The waiting thread reads the end of the stream, and can still reply.
        let mut for_silent = waiting.join().expect("no panic")?;
        for_silent.write_all(b"bye")?;
        drop(for_silent);
        let mut reply = String::new();
        silent.read_to_string(&mut reply)?;
        assert_eq!(reply, "bye");
        drop(busy);
        assert_eq!(reading.join().expect("no panic")?.len(), 20);
        // No thread waits on this connection, so it stays open.
        (&unread).write_all(b"later")?;
        let mut later = [0; 5];
        for_unread.read_exact(&mut later)?;
        assert_eq!(&later, b"later");
        Ok(())
    }
}
