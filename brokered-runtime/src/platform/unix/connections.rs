//! The connections that this process has accepted, wherever in it they are by now.

use std::collections::BTreeMap;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How often a connection has to be found quiet to be ended.
const LOOKS: u32 = 3;

/// The connections that this process has accepted on one path.
///
/// They are looked up when they are needed, so that serving one costs nothing for it. An accepted socket has its
/// listener's address for its own name, which a client's never has.
#[derive(Debug)]
pub(crate) struct AcceptedConnections {
    path: PathBuf,
    /// How often each was found quiet in a row, by its inode.
    quiet: BTreeMap<u64, u32>,
}

impl AcceptedConnections {
    pub(crate) fn on(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            quiet: BTreeMap::new(),
        }
    }

    /// Ends the reading side of the connections that were quiet at this look and at the two before: whoever
    /// reads from them finds the end of file. What is written to them still arrives.
    pub(crate) fn end_quiet_ones(&mut self) {
        let mut quiet = BTreeMap::new();
        for descriptor in open_descriptors() {
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
                let looks = self.quiet.get(&inode).copied().unwrap_or_default() + 1;
                if looks >= LOOKS {
                    // SAFETY: `shutdown` takes integers, and the descriptor is open as long as `copy` lives.
                    unsafe { libc::shutdown(copy.as_raw_fd(), libc::SHUT_RD) };
                }
                quiet.insert(inode, looks);
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

#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_descriptors() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return every_descriptor();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open_descriptors() -> Vec<RawFd> {
    every_descriptor()
}

/// Where nobody says which are open, all are tried that are likely.
fn every_descriptor() -> Vec<RawFd> {
    (3..4096).collect()
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
