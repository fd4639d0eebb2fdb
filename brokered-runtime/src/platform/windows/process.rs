//! This process: what it has inherited, its executable, and its end.

use std::env;
use std::fs::File;
use std::io;
use std::os::windows::io::{FromRawHandle, IntoRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::process::{self, Command};

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_INPUT_HANDLE, SetConsoleCtrlHandler, SetStdHandle,
};

use super::ffi::check;
use super::standard_handles::{StandardHandle, set_inheritable};

/// A launcher passes only the standard handles. They stay open, but the children of this process do not inherit them.
pub(crate) fn close_inherited_descriptors() {
    for which in StandardHandle::ALL {
        if let Some(handle) = which.get() {
            let _ = set_inheritable(handle, false);
        }
    }
}

/// Handles `^C` again, in case the starter had it ignored.
pub(crate) fn reset_signals() {
    // SAFETY: without a handler, this only sets whether `^C` is ignored.
    unsafe { SetConsoleCtrlHandler(None, 0) };
}

/// Does nothing: a launched daemon has its own console without a window. It needs one, because a console program that a
/// process without a console starts opens a window.
pub(crate) fn detach_terminal() {}

pub(crate) fn redirect_stdin_to_null() -> io::Result<()> {
    let null = File::open("NUL")?;
    // SAFETY: the new handle has no owner any more, so it stays open. The old handle is closed only after it was
    // replaced.
    unsafe {
        let before = GetStdHandle(STD_INPUT_HANDLE);
        check(SetStdHandle(STD_INPUT_HANDLE, null.into_raw_handle()))?;
        if !before.is_null() && before != INVALID_HANDLE_VALUE {
            drop(OwnedHandle::from_raw_handle(before));
        }
    }
    Ok(())
}

pub(crate) fn remove_environment_variables(names: &[&str]) {
    for name in names {
        // SAFETY: Windows protects the environment with a lock, so other threads may access it at the same time.
        unsafe { env::remove_var(name) };
    }
}

/// Only address space is reserved. The linker's default for the main thread is 1 MiB.
pub(crate) fn main_stack_size() -> usize {
    8 << 20
}

pub(crate) fn end_process(code: u8) -> ! {
    process::exit(i32::from(code))
}

#[cfg(feature = "fault-injection")]
pub(crate) fn kill_this_process() -> ! {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

    // SAFETY: the pseudo handle of the current process is always valid and needs no closing.
    unsafe { TerminateProcess(GetCurrentProcess(), 137) };
    process::abort()
}

/// Windows does not allow an executable to be replaced while it runs.
pub(crate) fn current_executable() -> io::Result<PathBuf> {
    env::current_exe()
}

/// Windows has no such limit.
pub(crate) fn open_files_limit() -> Option<u64> {
    None
}

/// Windows cannot replace the program of a process. So this starts the program, waits for its end, and ends this
/// process with the same exit code.
pub(crate) fn exec(command: &mut Command) -> io::Error {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return error,
    };
    // Both processes receive `^C`, and only the child should handle it.
    // SAFETY: without a handler, this only sets whether `^C` is ignored.
    unsafe { SetConsoleCtrlHandler(None, 1) };
    match child.wait() {
        Ok(status) => process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}
