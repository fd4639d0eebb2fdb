//! Starting programs.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::channel::ChannelEnd;

pub(crate) use std::process::Child;

pub(crate) fn set_arg0(command: &mut Command, name: &OsStr) {
    command.arg0(name);
}

/// The new process group keeps the signals of the caller's terminal away from the program from its start.
pub(crate) fn spawn_detached(
    command: &mut Command,
    _clears_environment: bool,
    input: ChannelEnd,
    output: &File,
) -> io::Result<Child> {
    command
        .stdin(input)
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()
}

/// Every process can receive `SIGTERM`.
#[cfg(feature = "testing")]
pub(crate) fn allow_stop_request(_command: &mut Command) {}

#[cfg(feature = "testing")]
pub(crate) fn request_stop(child: &Child) -> io::Result<()> {
    let process = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: `kill` takes integers. The child was not reaped, so its process ID was not reused.
    if unsafe { libc::kill(process, libc::SIGTERM) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
