//! Why the system refuses an access: an owner, a mode, an attribute of the file system, or none of these.

use std::ffi::CString;
use std::fs::{self, Metadata};
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::files::user_id;
use crate::platform::types::{Access, AccessFault};

pub(crate) fn access_fault(error: &io::Error, path: &Path, access: Access) -> AccessFault {
    if is_about_permissions(error) {
        if let Some(fault) = first_closed(path, access) {
            return fault;
        }
        if access == Access::Execute && is_mounted_noexec(path) {
            return AccessFault::NoExec;
        }
    } else if access == Access::Entry
        && let Some(directory) = path.parent().filter(|directory| is_immutable(directory))
    {
        return AccessFault::Immutable {
            path: directory.to_owned(),
        };
    }
    AccessFault::Policy
}

/// Owners and modes are `EACCES`. `EPERM` has other reasons.
pub(crate) fn is_about_permissions(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EACCES)
}

#[cfg(feature = "operator")]
pub(crate) fn check_entry(directory: &Path) -> io::Result<()> {
    match ask(directory, libc::W_OK | libc::X_OK) {
        // A sandbox refuses the question itself.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        answer => answer,
    }
}

/// The first part of the way to a path whose owner or mode keeps this process out.
fn first_closed(path: &Path, access: Access) -> Option<AccessFault> {
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    ancestors.reverse();
    for directory in ancestors {
        if !directory.as_os_str().is_empty()
            && let Some(fault) = closed(directory, libc::X_OK)
        {
            return Some(fault);
        }
    }
    let parent = path.parent().filter(|_| access == Access::Entry);
    match (access, parent) {
        (Access::Entry, Some(parent)) => closed(parent, libc::W_OK | libc::X_OK),
        (Access::Entry, None) => None,
        (Access::Write, _) if fs::symlink_metadata(path).is_err() => {
            closed(path.parent()?, libc::W_OK | libc::X_OK)
        }
        (Access::Write | Access::Connect, _) => closed(path, libc::W_OK),
        (Access::Lock, _) => closed(path, libc::R_OK),
        (Access::Execute, _) => closed(path, libc::X_OK),
    }
}

/// Whether the owner or the mode of what is at the path lacks a right, and which of the two.
fn closed(path: &Path, right: libc::c_int) -> Option<AccessFault> {
    if !is_refused(path, right) {
        return None;
    }
    let metadata = fs::metadata(path).ok()?;
    if has_right(&metadata, right) {
        return None;
    }
    let user = user_id();
    Some(if metadata.uid() == user {
        AccessFault::Mode {
            path: path.to_owned(),
            mode: metadata.mode() & 0o7777,
        }
    } else {
        AccessFault::Owner {
            path: path.to_owned(),
            owner: metadata.uid(),
            user,
        }
    })
}

/// Whether the system refuses this right to the effective user. It also knows capabilities and access control lists.
fn is_refused(path: &Path, right: libc::c_int) -> bool {
    // A sandbox may refuse the question itself, and says `EPERM` or `ENOSYS`. The mode then decides alone.
    ask(path, right).is_err_and(|error| {
        matches!(
            error.raw_os_error(),
            Some(libc::EACCES | libc::EPERM | libc::ENOSYS)
        )
    })
}

/// Asks the system whether the effective user has a right.
fn ask(path: &Path, right: libc::c_int) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a NUL, and the other arguments are integers.
    let answer = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), right, libc::AT_EACCESS) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether the permission bits give all these rights to the effective user.
fn has_right(metadata: &Metadata, right: libc::c_int) -> bool {
    let right = right.unsigned_abs();
    let shift = if metadata.uid() == user_id() {
        6
    } else if is_in_group(metadata.gid()) {
        3
    } else {
        0
    };
    (metadata.mode() >> shift) & right == right
}

fn is_in_group(group: u32) -> bool {
    // SAFETY: `getegid` takes no arguments and cannot fail.
    if unsafe { libc::getegid() } == group {
        return true;
    }
    // SAFETY: with a length of zero, `getgroups` only returns the number of groups.
    let number = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(number).unwrap_or(0)];
    // SAFETY: `groups` is valid for writes of `number` group IDs, and the call writes no more than that.
    let number = unsafe { libc::getgroups(number.max(0), groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(number).unwrap_or(0));
    groups.contains(&group)
}

/// Whether the file system refuses all changes of a directory, or all but new entries.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_immutable(directory: &Path) -> bool {
    use std::os::fd::AsRawFd;

    const IMMUTABLE: libc::c_int = 0x10;
    const APPEND_ONLY: libc::c_int = 0x20;
    let Ok(directory) = fs::File::open(directory) else {
        return false;
    };
    let mut flags: [libc::c_int; 2] = [0; 2];
    // SAFETY: `FS_IOC_GETFLAGS` writes one integer, or two on FUSE before Linux 5.8. `flags` is valid for that.
    let result = unsafe {
        libc::ioctl(
            directory.as_raw_fd(),
            libc::FS_IOC_GETFLAGS,
            flags.as_mut_ptr(),
        )
    };
    result == 0 && flags[0] & (IMMUTABLE | APPEND_ONLY) != 0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_immutable(_directory: &Path) -> bool {
    false
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_mounted_noexec(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    let mut file_system = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a NUL, and `file_system` is valid for writes. It is read only after the call has
    // filled it.
    unsafe {
        libc::statvfs(path.as_ptr(), file_system.as_mut_ptr()) == 0
            && file_system.assume_init().f_flag & libc::ST_NOEXEC != 0
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_mounted_noexec(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn where_modes_permit_the_access_it_is_a_policy() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        for access in [Access::Connect, Access::Entry, Access::Write, Access::Lock] {
            for number in [libc::EACCES, libc::EPERM] {
                let error = io::Error::from_raw_os_error(number);
                let fault = access_fault(&error, &directory.path().join("socket"), access);
                assert_eq!(fault, AccessFault::Policy, "{access:?}, {error}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_bits_of_the_owner_count_for_the_owner() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("file");
        fs::write(&file, "")?;
        for (mode, right, expected) in [
            (0o600, libc::R_OK | libc::W_OK, true),
            (0o600, libc::X_OK, false),
            (0o077, libc::R_OK, false),
            (0o500, libc::W_OK, false),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
            let has = has_right(&fs::metadata(&file)?, right);
            assert_eq!(has, expected, "{mode:o} {right}");
        }
        Ok(())
    }
}
