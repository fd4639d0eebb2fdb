//! Texts in help and error messages that name this system's commands and signals.

use std::io;
use std::path::Path;

pub(crate) const STOP_HINT: &str = "SIGTERM, or ^C on a terminal, asks";

#[allow(
    clippy::unnecessary_wraps,
    reason = "not every platform has such a command"
)]
pub(crate) fn connect_hint(endpoint: &Path) -> Option<String> {
    Some(format!("socat - UNIX-CONNECT:{}", endpoint.display()))
}

pub(crate) fn kill_hint(process: u32) -> String {
    format!("kill {process}")
}

pub(crate) const SANDBOX_HINT: &str = if cfg!(any(target_os = "linux", target_os = "android")) {
    "seccomp, Landlock, AppArmor, SELinux or a container"
} else {
    "the sandbox of the system"
};

pub(crate) fn entry_hint(error: &io::Error) -> Option<&'static str> {
    // File systems without sockets say so, such as FAT.
    (error.raw_os_error() == Some(libc::EPERM))
        .then_some(", or set BROKERED_RUNTIME_DIR to a directory on another file system")
}

pub(crate) fn error_hint(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::EMFILE => "raise the limit of open files of this process (`ulimit -n`)",
        libc::ENFILE => "raise the limit of open files of the system",
        libc::EAGAIN => {
            "raise the limit of processes and threads (`ulimit -u`, or `pids.max` of the control group)"
        }
        libc::ENOMEM | libc::ENOBUFS => {
            "free some memory, or raise its limit (`ulimit -v`, or `memory.max` of the control group)"
        }
        libc::ENOSPC | libc::EDQUOT => {
            "free some space or some inodes there (`df`, `df -i`), or set BROKERED_RUNTIME_DIR to a \
             directory on another file system"
        }
        libc::EFBIG => "raise the limit of the size of files (`ulimit -f`)",
        libc::EROFS => {
            "set BROKERED_RUNTIME_DIR to a directory that can be written, for the daemon and for its \
             clients"
        }
        libc::ENOSYS | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT => {
            "the system lacks this call, or a sandbox hides it, such as seccomp or a container: allow \
             `AF_UNIX` sockets there, or set BROKERED_DISABLE=1, so that clients do without daemons"
        }
        libc::EOVERFLOW => {
            "the user of this process has no number in its user namespace: map it, for example with \
             `unshare --map-current-user`"
        }
        libc::ENOLCK | libc::EOPNOTSUPP => {
            "set BROKERED_RUNTIME_DIR to a directory on a local file system"
        }
        _ => return None,
    })
}
