//! Starting programs.

use std::ffi::{OsStr, c_void};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::os::windows::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::ptr;
use std::time::Instant;

use windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED;
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW,
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess, InitializeProcThreadAttributeList,
    LPPROC_THREAD_ATTRIBUTE_LIST, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW, STARTUPINFOW, UpdateProcThreadAttribute,
};

use super::channel::ChannelEnd;
use super::command_line::{command_line, environment, program_of};
use super::ffi::{check, wide};
use super::other_process::has_ended;
use super::standard_handles::set_inheritable;

/// Windows names a process after its executable.
pub(crate) fn set_arg0(_command: &mut Command, _name: &OsStr) {}

/// A child process.
#[derive(Debug)]
pub(crate) struct Child {
    process: OwnedHandle,
    pid: u32,
}

impl Child {
    pub(crate) fn id(&self) -> u32 {
        self.pid
    }

    /// The exit status, if the process has ended.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if !has_ended(self.process.as_handle(), Some(Instant::now()))? {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is open while `self` lives, and `code` is valid for writes.
        check(unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) })?;
        Ok(Some(ExitStatus::from_raw(code)))
    }
}

/// The standard library would pass every inheritable handle of this process. This passes two. The program has no
/// window, does not receive `^C` from the caller's console, and leaves the caller's job object if that allows it.
pub(crate) fn spawn_detached(
    command: &mut Command,
    clears_environment: bool,
    input: ChannelEnd,
    output: &File,
) -> io::Result<Child> {
    let arguments = CreateArguments {
        program: program_of(command)?,
        line: command_line(command)?,
        environment: environment(command, clears_environment)?,
        directory: command
            .get_current_dir()
            .map(|directory| wide(directory.as_os_str())),
    };
    let output = output.try_clone()?;
    // A program that another thread starts at this moment may inherit them, too. Windows offers no way to prevent that.
    set_inheritable(input.as_handle(), true)?;
    set_inheritable(output.as_handle(), true)?;
    let mut handles = [input.as_handle().as_raw_handle(), output.as_raw_handle()];
    match arguments.create_process(&mut handles, CREATE_BREAKAWAY_FROM_JOB) {
        // The job object does not allow processes to leave it.
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => {
            arguments.create_process(&mut handles, 0)
        }
        started => started,
    }
}

/// The arguments of `CreateProcessW`.
struct CreateArguments {
    program: Vec<u16>,
    line: Vec<u16>,
    environment: Vec<u16>,
    directory: Option<Vec<u16>>,
}

impl CreateArguments {
    /// The process inherits only these handles: standard input and the file for its output.
    fn create_process(&self, handles: &mut [RawHandle; 2], flags: u32) -> io::Result<Child> {
        let attributes = HandleList::new(handles)?;
        let startup = STARTUPINFOEXW {
            StartupInfo: STARTUPINFOW {
                cb: u32::try_from(size_of::<STARTUPINFOEXW>()).map_err(io::Error::other)?,
                dwFlags: STARTF_USESTDHANDLES,
                hStdInput: handles[0],
                hStdOutput: handles[1],
                hStdError: handles[1],
                ..STARTUPINFOW::default()
            },
            lpAttributeList: attributes.list(),
        };
        let directory = self.directory.as_ref();
        let mut line = self.line.clone();
        let mut started = MaybeUninit::<PROCESS_INFORMATION>::zeroed();
        // SAFETY: the texts end with a zero, and the environment with two. The call may write to the line. `startup`
        // has the size that it states, and all that it points to outlives the call. The two handles that the call
        // returns are new and have no owner.
        unsafe {
            check(CreateProcessW(
                self.program.as_ptr(),
                line.as_mut_ptr(),
                ptr::null(),
                ptr::null(),
                1,
                flags
                    | CREATE_NEW_PROCESS_GROUP
                    | CREATE_NO_WINDOW
                    | CREATE_UNICODE_ENVIRONMENT
                    | EXTENDED_STARTUPINFO_PRESENT,
                self.environment.as_ptr().cast::<c_void>(),
                directory.map_or(ptr::null(), |directory| directory.as_ptr()),
                (&raw const startup).cast(),
                started.as_mut_ptr(),
            ))?;
            let started = started.assume_init();
            drop(OwnedHandle::from_raw_handle(started.hThread));
            Ok(Child {
                process: OwnedHandle::from_raw_handle(started.hProcess),
                pid: started.dwProcessId,
            })
        }
    }
}

/// The list of handles that a process inherits.
struct HandleList(Box<[usize]>);

impl HandleList {
    fn new(handles: &mut [RawHandle; 2]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list, the call only returns the size that a list needs.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &raw mut size) };
        let mut list = Self(vec![0_usize; size.div_ceil(size_of::<usize>())].into_boxed_slice());
        // SAFETY: the list has the size that the system has asked for. The size of `handles` is correct, and the
        // handles outlive the list, which is used and dropped while they are borrowed.
        unsafe {
            check(InitializeProcThreadAttributeList(
                list.0.as_mut_ptr().cast(),
                1,
                0,
                &raw mut size,
            ))?;
            check(UpdateProcThreadAttribute(
                list.list(),
                0,
                PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize,
                handles.as_ptr().cast(),
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            ))?;
        }
        Ok(list)
    }

    fn list(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.0.as_ptr().cast_mut().cast()
    }
}

impl Drop for HandleList {
    fn drop(&mut self) {
        // SAFETY: the list is either all zero, which has nothing to delete, or initialised.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

/// In a process group of its own, the program can receive `^Break` without the other programs on this console.
#[cfg(feature = "testing")]
pub(crate) fn allow_stop_request(command: &mut Command) {
    use std::os::windows::process::CommandExt;

    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

#[cfg(feature = "testing")]
pub(crate) fn request_stop(child: &std::process::Child) -> io::Result<()> {
    use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};

    // SAFETY: this takes integers. The child was not reaped, so its process ID was not reused.
    check(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) })
}
