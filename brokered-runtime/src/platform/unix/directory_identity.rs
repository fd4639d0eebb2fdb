//! Whether a directory is still the one that was seen before.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use crate::platform::types::DirectoryMatch;

/// Identifies a directory.
///
/// The inode number alone does not: ext4 gives the number of a removed directory to the next one at once. FAT, FUSE and
/// some network file systems give a directory another number when the system has forgotten it for a while. The time of
/// creation alone does not, either: a clock tick has room for several directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryIdentity {
    device: u64,
    inode: u64,
    /// `None` if the file system does not record it.
    created: Option<SystemTime>,
    /// The mount. It differs where a part of a file system is mounted over another part of the same one. `None` if the
    /// system does not report it.
    mount: Option<u64>,
}

pub(crate) fn directory_identity(path: &Path) -> io::Result<Option<DirectoryIdentity>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(DirectoryIdentity::of(path, &metadata))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl DirectoryIdentity {
    fn of(path: &Path, metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            created: metadata.created().ok(),
            mount: mount_id(path),
        }
    }

    pub(crate) fn is_on_file_system_of(&self, other: &Self) -> bool {
        self.device == other.device
            && !matches!((self.mount, other.mount), (Some(one), Some(two)) if one != two)
    }

    pub(crate) fn compare(&self, now: &Self, path: &Path) -> DirectoryMatch {
        let same_inode = self.inode == now.inode;
        let created = self.created.zip(now.created);
        let same_creation = created.map(|(then, now)| then == now);
        if !now.is_on_file_system_of(self) {
            // A file system that was mounted again may have another device number.
            return if same_inode && same_creation == Some(true) {
                DirectoryMatch::Same
            } else {
                DirectoryMatch::OtherFileSystem
            };
        }
        if same_inode {
            return if is_recreated(created) && !copies_on_write(path) {
                DirectoryMatch::Other
            } else {
                DirectoryMatch::Same
            };
        }
        match same_creation {
            Some(true) if !keeps_numbers(path) => DirectoryMatch::Same,
            None if !keeps_numbers(path) => DirectoryMatch::Unknown,
            _ => DirectoryMatch::Other,
        }
    }
}

/// Whether the time of creation is later than it was. macOS and the BSDs set it back when a program sets an earlier time
/// of modification.
fn is_recreated(created: Option<(SystemTime, SystemTime)>) -> bool {
    created.is_some_and(|(then, now)| now > then)
}

#[cfg(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    not(brokered_portable)
))]
mod linux {
    use std::ffi::CString;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    const OVERLAY: u32 = 0x794c_7630;

    /// The file systems that may give a directory another number: FAT, exFAT, FUSE, three of SMB, 9P, and overlays.
    const CHANGES_NUMBERS: [u32; 8] = [
        0x0000_4d44,
        0x2011_bab0,
        0x6573_5546,
        0x0000_517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        OVERLAY,
    ];

    /// The ID of the mount to which the path leads. `None` before Linux 5.8.
    pub(super) fn mount_id(path: &Path) -> Option<u64> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        let mut found = MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: the path ends with a zero. `found` is valid for writes, and an all-zero value is valid, too. This is
        // the system call itself, because glibc has its function only since version 2.28.
        let found = unsafe {
            let result = libc::syscall(
                libc::SYS_statx,
                libc::AT_FDCWD,
                path.as_ptr(),
                libc::AT_SYMLINK_NOFOLLOW,
                libc::STATX_MNT_ID,
                found.as_mut_ptr(),
            );
            if result != 0 {
                return None;
            }
            found.assume_init()
        };
        (found.stx_mask & libc::STATX_MNT_ID != 0).then_some(found.stx_mnt_id)
    }

    /// Whether the directory is on an overlay file system. There, the first write into a directory copies it, and the
    /// copy has a later time of creation.
    pub(super) fn copies_on_write(path: &Path) -> bool {
        file_system(path) == Some(OVERLAY)
    }

    /// Whether a directory on this file system keeps its number while it exists.
    pub(super) fn keeps_numbers(path: &Path) -> bool {
        file_system(path).is_some_and(|kind| !CHANGES_NUMBERS.contains(&kind))
    }

    /// The number that stands for the kind of a file system. `None` if it cannot be queried.
    fn file_system(path: &Path) -> Option<u32> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        let mut found = MaybeUninit::<libc::statfs>::zeroed();
        // SAFETY: the path ends with a zero. `found` is valid for writes, and an all-zero value is valid, too.
        let found = unsafe {
            if libc::statfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
                return None;
            }
            found.assume_init()
        };
        // The type of the field differs by architecture and C library; its lower half holds the number.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::unnecessary_cast,
            reason = "the type differs"
        )]
        Some(found.f_type as u32)
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    not(brokered_portable)
))]
use linux::{copies_on_write, keeps_numbers, mount_id};

#[cfg(not(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    not(brokered_portable)
)))]
fn mount_id(_path: &Path) -> Option<u64> {
    None
}

#[cfg(not(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    not(brokered_portable)
)))]
fn copies_on_write(_path: &Path) -> bool {
    false
}

/// Not known here.
#[cfg(not(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    not(brokered_portable)
)))]
fn keeps_numbers(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn identity(device: u64, inode: u64, created: Option<u64>) -> DirectoryIdentity {
        DirectoryIdentity {
            device,
            inode,
            created: created.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            mount: None,
        }
    }

    #[test]
    fn a_directory_is_known_by_its_number_and_its_time_of_creation() {
        use DirectoryMatch::{Other, OtherFileSystem, Same, Unknown};
        let was = identity(1, 2, Some(10));
        let without_time = identity(1, 2, None);
        // A path whose file system cannot be queried.
        let nowhere = Path::new("/nowhere/at/all");
        for (then, now, expected) in [
            (&was, identity(1, 2, Some(10)), Same),
            (&was, identity(1, 3, Some(11)), Other),
            // ext4 has given the number to the next directory.
            (&was, identity(1, 2, Some(11)), Other),
            // A program has set an earlier time of modification, on macOS.
            (&was, identity(1, 2, Some(9)), Same),
            // FAT has given the directory another number.
            (&was, identity(1, 3, Some(10)), Same),
            // The file system was mounted again.
            (&was, identity(5, 2, Some(10)), Same),
            (&was, identity(5, 2, Some(11)), OtherFileSystem),
            (&was, identity(5, 3, Some(10)), OtherFileSystem),
            (&without_time, identity(1, 2, None), Same),
            (&without_time, identity(1, 3, None), Unknown),
            (&without_time, identity(5, 2, None), OtherFileSystem),
        ] {
            assert_eq!(
                then.compare(&now, nowhere),
                expected,
                "{then:?}, then {now:?}"
            );
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", not(brokered_portable)))]
    fn a_file_system_that_keeps_its_numbers_needs_no_time_of_creation() {
        // procfs is none of those that change numbers.
        let proc = Path::new("/proc");
        for created in [None, Some(10)] {
            let was = identity(1, 2, created);
            let now = identity(1, 3, created);
            assert_eq!(was.compare(&now, proc), DirectoryMatch::Other);
        }
    }

    #[test]
    fn a_mount_within_one_file_system_is_another_file_system() {
        let mut was = identity(1, 2, Some(10));
        let mut now = identity(1, 3, Some(11));
        was.mount = Some(20);
        now.mount = Some(21);
        assert_eq!(
            was.compare(&now, Path::new("/proc")),
            DirectoryMatch::OtherFileSystem
        );
    }
}
