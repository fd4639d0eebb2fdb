//! The controlling terminal, and what remains of it after a hang-up.

use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

/// Opens `/dev/tty`, which exists for a process only if it has a controlling terminal. That a standard stream is a
/// terminal means less: it may be another one, and a background job with redirected output still gets the hang-up.
pub(crate) fn has_controlling_terminal() -> bool {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open("/dev/tty")
        .is_ok()
}

pub(crate) fn replace_lost_terminal() {
    for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        if has_hung_up(descriptor) {
            replace(descriptor);
        }
    }
}

/// Only a terminal that has hung up fails like this. Other files are not terminals (`ENOTTY`).
fn has_hung_up(descriptor: RawFd) -> bool {
    let mut settings = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: `settings` is valid for writes, and is not read.
    let failed = unsafe { libc::tcgetattr(descriptor, settings.as_mut_ptr()) } != 0;
    failed
        && matches!(
            io::Error::last_os_error().raw_os_error(),
            Some(libc::EIO | libc::ENXIO)
        )
}

fn replace(descriptor: RawFd) {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    if let Ok(null) = null {
        // SAFETY: `dup2` replaces the descriptor atomically, and the standard streams have no owner.
        unsafe { libc::dup2(null.as_raw_fd(), descriptor) };
    }
}
