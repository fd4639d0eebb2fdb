//! The connections that this process has accepted, wherever in it they are by now.

use std::collections::BTreeMap;
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
use std::fs;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How often a connection has to be found quiet to be ended. Where nobody says who waits to read it, a client that
/// is in the middle of its request must not be taken for one that says nothing: it is given two seconds.
const LOOKS: u32 = if cfg!(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)) {
    3
} else {
    20
};

/// The connections that this process has accepted on one path.
///
/// They are looked up when they are needed, so that serving one costs nothing for it. An accepted socket has its
/// listener's address for its own name, which a client's never has.
#[derive(Debug)]
pub(crate) struct AcceptedConnections {
    path: PathBuf,
    /// How often each was found quiet in a row, by its inode, and who was reading it.
    quiet: BTreeMap<u64, (Reader, u32)>,
}

impl AcceptedConnections {
    pub(crate) fn on(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            quiet: BTreeMap::new(),
        }
    }

    /// Ends the reading side of the connections that were quiet at this look and at those before: a thread
    /// waits for bytes all the while, and none come. It finds the end of file then. What is written to them
    /// still arrives.
    pub(crate) fn shut_down_quiet(&mut self) {
        let mut quiet = BTreeMap::new();
        for (descriptor, reader) in readers() {
            // By its number, it may be another file the next moment; so only the copy is trusted, and touched.
            if !self.is_ours(descriptor) {
                continue;
            }
            let Ok(copy) = copy_of(descriptor) else {
                continue;
            };
            if !self.is_ours(copy.as_raw_fd()) || is_listener(copy.as_raw_fd()) {
                continue;
            }
            if let (Ok(inode), Ok(0)) = (inode(&copy), unread(&copy)) {
                let looks = match self.quiet.get(&inode) {
                    Some((before, looks)) if *before == reader => looks + 1,
                    _ => 1,
                };
                if looks >= LOOKS {
                    // SAFETY: `shutdown` takes integers, and the descriptor is open as long as `copy` lives.
                    unsafe { libc::shutdown(copy.as_raw_fd(), libc::SHUT_RD) };
                }
                quiet.insert(inode, (reader, looks));
            }
        }
        self.quiet = quiet;
    }

    fn is_ours(&self, descriptor: RawFd) -> bool {
        // SAFETY: an all-zero `sockaddr_un` is a valid value.
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        #[expect(clippy::cast_possible_truncation, reason = "110 at most")]
        let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        // SAFETY: `address` is valid for writes of `length` bytes.
        let named =
            unsafe { libc::getsockname(descriptor, (&raw mut address).cast(), &raw mut length) };
        if named != 0 || libc::c_int::from(address.sun_family) != libc::AF_UNIX {
            return false;
        }
        let path = self.path.as_os_str().as_bytes();
        let bound = address.sun_path.map(|byte| byte.to_ne_bytes()[0]);
        bound.get(..path.len()) == Some(path) && bound.get(path.len()).is_none_or(|end| *end == 0)
    }
}

/// Who reads a descriptor: a thread, and how often it has run. The same again means that it has not run since.
type Reader = (u32, u64);

/// The descriptors that threads of this process are blocked in reading, and by whom.
///
/// Reading one that doesn't block, as executors do, is no waiting in this sense: such a loop has
/// other means to learn of the end.
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
            // Its turns are counted before: a turn in between shows at the next look.
            let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let turns = statistics.split_whitespace().nth(2)?.parse().ok()?;
            let call = fs::read_to_string(thread.path().join("syscall")).ok()?;
            Some((descriptor_read_by(&call)?, (id, turns)))
        })
        .collect()
}

/// Which descriptor a system call reads: its number in decimal, then its arguments in hexadecimal.
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

/// Where nobody says who reads what, all descriptors are taken that are likely to be open.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
fn readers() -> Vec<(RawFd, Reader)> {
    (3..4096).map(|descriptor| (descriptor, (0, 0))).collect()
}

fn copy_of(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `fcntl` with `F_DUPFD_CLOEXEC` takes an integer; what it returns is new and nobody else's.
    unsafe {
        match libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) {
            -1 => Err(io::Error::last_os_error()),
            copy => Ok(OwnedFd::from_raw_fd(copy)),
        }
    }
}

fn is_listener(descriptor: RawFd) -> bool {
    let mut listens: libc::c_int = 0;
    #[expect(clippy::cast_possible_truncation, reason = "four bytes")]
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `listens` is valid for writes of `length` bytes.
    let asked = unsafe {
        libc::getsockopt(
            descriptor,
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut listens).cast(),
            &raw mut length,
        )
    };
    asked != 0 || listens != 0
}

fn inode(file: &OwnedFd) -> io::Result<u64> {
    let mut metadata = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `metadata` is valid for writes, and read only if the call has filled it.
    unsafe {
        if libc::fstat(file.as_raw_fd(), metadata.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(metadata.assume_init().st_ino)
    }
}

/// How many bytes wait to be read.
fn unread(socket: &OwnedFd) -> io::Result<libc::c_int> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: `FIONREAD` writes one integer, for which `bytes` is valid.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut bytes) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(bytes)
}

#[cfg(all(test, target_os = "linux", not(brokered_portable)))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn only_a_connection_that_somebody_waits_on_in_vain_is_ended()
    -> Result<(), Box<dyn std::error::Error>> {
        let place = tempfile::tempdir()?;
        let path = place.path().join("socket");
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
            // The looks have a rhythm, here as in a drain.
            thread::sleep(Duration::from_millis(10));
            connections.shut_down_quiet();
        }
        // Whoever waits finds the end, and can still answer.
        let mut for_silent = waiting.join().expect("no panic")?;
        for_silent.write_all(b"bye")?;
        drop(for_silent);
        let mut answer = String::new();
        silent.read_to_string(&mut answer)?;
        assert_eq!(answer, "bye");
        drop(busy);
        assert_eq!(reading.join().expect("no panic")?.len(), 20);
        // Nobody waits for this one, so it is nobody's end.
        (&unread).write_all(b"later")?;
        let mut later = [0; 5];
        for_unread.read_exact(&mut later)?;
        assert_eq!(&later, b"later");
        Ok(())
    }
}
