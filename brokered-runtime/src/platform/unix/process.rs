//! This process and those it starts: what it inherited, and what it passes on.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::channel::ChannelEnd;

/// Closes every descriptor above standard error.
///
/// Only for a process that a launcher has started, before any code of its own has run: nothing that is
/// open there was meant for it.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn close_inherited_descriptors() {
    // SAFETY: by the contract above nobody owns a descriptor above 2 yet. By number, because C
    // libraries before glibc 2.34 have no name for it.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed != 0 {
        close_one_by_one();
    }
}

/// Closes every descriptor above standard error.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) fn close_inherited_descriptors() {
    close_one_by_one();
}

fn close_one_by_one() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    let most = 1 << 20;
    let end = match libc::c_int::try_from(limit.rlim_cur) {
        Ok(limit) if known => limit.min(most),
        _ => most,
    };
    for descriptor in 3..end {
        // SAFETY: as in `close_inherited_descriptors`, nobody owns a descriptor above 2 yet.
        unsafe { libc::close(descriptor) };
    }
}

/// Sets the signals that were inherited as ignored back to their default, `SIGPIPE` aside, and empties
/// the signal mask. Handlers stay: among them is the report of a stack overflow.
pub(crate) fn reset_signals() {
    for signal in 1..=LAST_SIGNAL {
        if signal != libc::SIGPIPE && is_ignored(signal) {
            // SAFETY: setting a disposition to its default installs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
    let mut empty = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set, which is read by `sigprocmask` alone.
    unsafe {
        libc::sigemptyset(empty.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, empty.as_ptr(), std::ptr::null_mut());
    }
}

/// Signals beyond the real-time ones do not exist; asking for one is answered with an error.
const LAST_SIGNAL: libc::c_int = 64;

/// Whether a signal is ignored.
pub(super) fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action, `sigaction` only writes the present one to a valid place, and it is
    // read only if that succeeded.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Gives up the controlling terminal, so that nothing which happens on it reaches this process.
pub(crate) fn detach_terminal() {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/tty");
    if let Ok(terminal) = terminal {
        // SAFETY: `TIOCNOTTY` takes no argument.
        unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) };
    }
}

/// Puts `/dev/null` in the place of standard input.
pub(crate) fn null_input() -> io::Result<()> {
    let null = File::open("/dev/null")?;
    // SAFETY: `dup2` replaces descriptor 0 in one step, and standard input is owned by nobody.
    if unsafe { libc::dup2(null.as_raw_fd(), 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes variables out of the environment, if no other thread could be reading it.
pub(crate) fn remove_variables(names: &[&str]) {
    if !is_single_threaded() {
        return;
    }
    for name in names {
        // SAFETY: no other thread exists, so nobody reads the environment meanwhile.
        unsafe { env::remove_var(name) };
    }
}

/// Where the system does not say at a glance, nothing is taken out: a variable that stays behind
/// misleads nobody, since the nonce in it is spent.
fn is_single_threaded() -> bool {
    super::threads::threads() == Some(1)
}

/// Ends the process at once: no destructor and no exit handler can hold it up.
pub(crate) fn end_process(code: u8) -> ! {
    // SAFETY: `_exit` takes an integer and does not return.
    unsafe { libc::_exit(libc::c_int::from(code)) }
}

/// Ends this process as a `SIGKILL` from elsewhere would.
#[cfg(feature = "fault-injection")]
pub(crate) fn kill_this_process() -> ! {
    // SAFETY: `raise` takes an integer.
    unsafe { libc::raise(libc::SIGKILL) };
    end_process(137)
}

/// What to start in order to start this executable again.
///
/// On Linux an executable that was replaced on disk since this process began is still reachable.
pub(crate) fn current_executable() -> io::Result<PathBuf> {
    let path = env::current_exe()?;
    if cfg!(brokered_portable) {
        return Ok(path);
    }
    let running = PathBuf::from("/proc/self/exe");
    match (fs::metadata(&running), fs::metadata(&path)) {
        (Ok(running), Ok(at_path))
            if running.dev() == at_path.dev() && running.ino() == at_path.ino() =>
        {
            Ok(path)
        }
        (Ok(_), _) => Ok(running),
        (Err(_), _) => Ok(path),
    }
}

/// Gives a program the name that process lists show, where that is not the name of its file.
pub(crate) fn set_arg0(command: &mut Command, name: &OsStr) {
    command.arg0(name);
}

/// A process that was started from here.
pub(crate) use std::process::Child;

/// Starts a program that has this end of a channel as its standard input and whose output goes to a file. The signals
/// of the caller's terminal are kept away from it from its first moment.
///
/// Whether the environment is cleared is in the command.
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

/// Lets a program that is about to be started be asked to end, which every program can.
#[cfg(feature = "testing")]
pub(crate) fn allow_stop_request(_command: &mut Command) {}

/// Asks a process that was started from here to end, as `SIGTERM` does.
#[cfg(feature = "testing")]
pub(crate) fn request_stop(child: &Child) -> io::Result<()> {
    let process = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: `kill` takes integers. The child has not been waited for, so its number is its own.
    if unsafe { libc::kill(process, libc::SIGTERM) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Becomes another program. Returns only if that failed.
pub(crate) fn exec(command: &mut Command) -> io::Error {
    command.exec()
}
