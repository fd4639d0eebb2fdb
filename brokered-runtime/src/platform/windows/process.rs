//! This process and those it starts: what it inherited, and what it passes on.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString, c_void};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{
    AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, OwnedHandle, RawHandle,
};
use std::os::windows::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, FILETIME, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
    WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
    SetConsoleCtrlHandler, SetStdHandle,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemTimeAsFileTime, GetTickCount64};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW,
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, GetCurrentProcess, GetExitCodeProcess, GetProcessTimes,
    InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST, OpenProcess,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, STARTF_USESTDHANDLES, STARTUPINFOEXW, STARTUPINFOW,
    TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
};

use super::channel::ChannelEnd;
use super::overlapped::milliseconds;
use super::{check, wide};
use crate::platform::ProcessActivity;

/// Time since the machine was started, with the time that it slept.
pub(crate) fn uptime() -> Duration {
    // SAFETY: this takes nothing.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// What tells one run of the machine from the next: nothing does at a glance.
pub(crate) fn boot_id() -> String {
    String::new()
}

/// How many threads this process has: not told at a glance.
pub(crate) fn threads() -> Option<u32> {
    None
}

/// What a process is doing: not told at a glance.
pub(crate) fn process_activity(_pid: u32) -> Option<ProcessActivity> {
    None
}

/// How old this process was at a time since the machine's start.
pub(crate) fn age_at(then: Duration) -> Option<Duration> {
    // SAFETY: this takes nothing, and what it gives needs no closing.
    let this_process = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
    let age = now().checked_sub(began(this_process)?)?;
    (age + then).checked_sub(uptime())
}

/// The time of day, as the system counts it.
fn now() -> Duration {
    let mut now = FILETIME::default();
    // SAFETY: `now` is valid for writes.
    unsafe { GetSystemTimeAsFileTime(&raw mut now) };
    since_1601(now)
}

/// When a process began, by the time of day.
fn began(process: BorrowedHandle<'_>) -> Option<Duration> {
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: the handle is open as long as it is borrowed, and the four places are valid for writes.
    check(unsafe { GetProcessTimes(process.as_raw_handle(), created, exited, kernel, user) })
        .ok()?;
    Some(since_1601(times[0]))
}

fn since_1601(time: FILETIME) -> Duration {
    let ticks = (u64::from(time.dwHighDateTime) << 32) | u64::from(time.dwLowDateTime);
    Duration::from_nanos((ticks % 10_000_000) * 100) + Duration::from_secs(ticks / 10_000_000)
}

/// One of the three handles that every process begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standard {
    Input,
    Output,
    Error,
}

impl Standard {
    fn number(self) -> STD_HANDLE {
        match self {
            Self::Input => STD_INPUT_HANDLE,
            Self::Output => STD_OUTPUT_HANDLE,
            Self::Error => STD_ERROR_HANDLE,
        }
    }
}

/// A standard handle, if there is one.
pub(super) fn standard(which: Standard) -> Option<BorrowedHandle<'static>> {
    // SAFETY: nobody closes a standard handle but `null_input`, which puts another one in its place first, and before
    // any code of the daemon's own runs.
    unsafe {
        let handle = GetStdHandle(which.number());
        let is_one = !handle.is_null() && handle != INVALID_HANDLE_VALUE;
        is_one.then(|| BorrowedHandle::borrow_raw(handle))
    }
}

/// Whether this is a pipe.
pub(super) fn is_pipe(handle: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open as long as it is borrowed.
    unsafe { GetFileType(handle.as_raw_handle()) == FILE_TYPE_PIPE }
}

/// Keeps the handles that a launcher has listed, which are all that this process has inherited, from its own children.
pub(crate) fn close_inherited_descriptors() {
    for which in [Standard::Input, Standard::Output, Standard::Error] {
        if let Some(handle) = standard(which) {
            let _ = set_inheritable(handle, false);
        }
    }
}

fn set_inheritable(handle: BorrowedHandle<'_>, is_inheritable: bool) -> io::Result<()> {
    let flags = if is_inheritable {
        HANDLE_FLAG_INHERIT
    } else {
        0
    };
    // SAFETY: the handle is open as long as it is borrowed.
    check(unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, flags) })
}

/// Listens to `^C` again, should whoever started this process have had it ignored.
pub(crate) fn reset_signals() {
    // SAFETY: without a handler, this changes whether `^C` is ignored, and nothing else.
    unsafe { SetConsoleCtrlHandler(None, 0) };
}

/// A launched daemon has a console of its own, which nobody sees: without one, each console program that it starts
/// would open a window.
pub(crate) fn detach_terminal() {}

/// Puts `NUL` in the place of standard input.
pub(crate) fn null_input() -> io::Result<()> {
    let null = File::open("NUL")?;
    // SAFETY: the new handle is given away, so it stays open. The one that was there is closed only when nothing leads
    // to it any more.
    unsafe {
        let before = GetStdHandle(STD_INPUT_HANDLE);
        check(SetStdHandle(STD_INPUT_HANDLE, null.into_raw_handle()))?;
        if !before.is_null() && before != INVALID_HANDLE_VALUE {
            drop(OwnedHandle::from_raw_handle(before));
        }
    }
    Ok(())
}

/// Takes variables out of the environment.
pub(crate) fn remove_variables(names: &[&str]) {
    for name in names {
        // SAFETY: on Windows the environment has a lock of the system's own, which every reader takes.
        unsafe { env::remove_var(name) };
    }
}

/// Ends the process.
pub(crate) fn end_process(code: u8) -> ! {
    process::exit(i32::from(code))
}

/// Ends this process as the task manager would.
#[cfg(feature = "fault-injection")]
pub(crate) fn kill_this_process() -> ! {
    // SAFETY: this takes a handle that needs no closing.
    unsafe { TerminateProcess(GetCurrentProcess(), 137) };
    process::abort()
}

/// There is no fork.
#[derive(Debug)]
pub(crate) struct ForkGuard;

impl ForkGuard {
    pub(crate) fn new<T>(_handle: &T) -> Self {
        Self
    }

    pub(crate) fn of_listener<T>(_listener: &T) -> Self {
        Self
    }
}

/// What to start in order to start this executable again: it can't be replaced while it runs.
pub(crate) fn current_executable() -> io::Result<PathBuf> {
    env::current_exe()
}

/// A process is called as its file is.
pub(crate) fn set_arg0(_command: &mut Command, _name: &OsStr) {}

/// There is no limit that a process would meet.
#[cfg(feature = "operator")]
pub(crate) fn open_files_limit() -> Option<u64> {
    None
}

/// Becomes another program, as far as that goes: starts it, waits for its end, and ends with its code. Returns only if
/// it could not be started.
pub(crate) fn exec(command: &mut Command) -> io::Error {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return error,
    };
    // `^C` reaches both, and is for the child to act on.
    // SAFETY: without a handler, this changes whether `^C` is ignored, and nothing else.
    unsafe { SetConsoleCtrlHandler(None, 1) };
    match child.wait() {
        Ok(status) => process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// Lets a program that is about to be started be asked to end: alone, and not with everybody on this console.
#[cfg(feature = "testing")]
pub(crate) fn allow_stop_request(command: &mut Command) {
    use std::os::windows::process::CommandExt;

    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Asks a process that was started so to end, as `^Break` on its console does.
#[cfg(feature = "testing")]
pub(crate) fn request_stop(child: &process::Child) -> io::Result<()> {
    use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};

    // SAFETY: this takes numbers. The child has not been waited for, so its number is its own.
    check(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) })
}

/// A process that was started from here.
#[derive(Debug)]
pub(crate) struct Child {
    process: OwnedHandle,
    pid: u32,
}

impl Child {
    pub(crate) fn id(&self) -> u32 {
        self.pid
    }

    /// How it has ended, if it has.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if !has_ended(self.process.as_handle(), Some(Instant::now()))? {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is open as long as `self` lives, and `code` is valid for writes.
        check(unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) })?;
        Ok(Some(ExitStatus::from_raw(code)))
    }
}

fn has_ended(process: BorrowedHandle<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    // SAFETY: the handle is open as long as it is borrowed.
    match unsafe { WaitForSingleObject(process.as_raw_handle(), milliseconds(deadline)) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_TIMEOUT => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Starts a program that has this end of a channel as its standard input and whose output goes to a file.
///
/// The standard library passes on every handle that can be inherited, whoever it was meant for; here it is these two.
/// The program has no window, gets no `^C` of the caller's console, and leaves the caller's job, where it may.
pub(crate) fn spawn_detached(
    command: &mut Command,
    clears_environment: bool,
    input: ChannelEnd,
    output: &File,
) -> io::Result<Child> {
    let start = Start {
        program: program_of(command)?,
        line: command_line(command)?,
        environment: environment(command, clears_environment)?,
        directory: command
            .get_current_dir()
            .map(|directory| wide(directory.as_os_str())),
    };
    let output = output.try_clone()?;
    // A program that another thread starts at this very moment may inherit them, too: the system has no other way.
    set_inheritable(input.as_handle(), true)?;
    set_inheritable(output.as_handle(), true)?;
    let mut handles = [input.as_handle().as_raw_handle(), output.as_raw_handle()];
    match start.spawn(&mut handles, CREATE_BREAKAWAY_FROM_JOB) {
        // Its job does not let anybody go.
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => {
            start.spawn(&mut handles, 0)
        }
        started => started,
    }
}

/// What a program is started with, as the system wants it.
struct Start {
    program: Vec<u16>,
    line: Vec<u16>,
    environment: Vec<u16>,
    directory: Option<Vec<u16>>,
}

impl Start {
    /// With these handles, and no others: standard input, and where the output goes.
    fn spawn(&self, handles: &mut [RawHandle; 2], flags: u32) -> io::Result<Child> {
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
        // SAFETY: all texts end with a zero, the environment with two; the line may be written to. `startup` is as
        // long as it says, and what it points to outlives the call. What is started is ours to close.
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

/// The list of handles that a process is to inherit.
struct HandleList(Box<[usize]>);

impl HandleList {
    fn new(handles: &mut [RawHandle; 2]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list, this only tells the size of one.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &raw mut size) };
        let mut list = Self(vec![0_usize; size.div_ceil(size_of::<usize>())].into_boxed_slice());
        // SAFETY: the list has as many bytes as were asked for. The handles are so many, and outlive the list, which
        // is used and dropped where they are borrowed.
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
        // SAFETY: a list of zeroes has nothing to delete, and any other was initialised.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

/// The executable. What a shell would have to run is none: its arguments could not be passed on unharmed.
fn program_of(command: &Command) -> io::Result<Vec<u16>> {
    let program = Path::new(command.get_program());
    let is_script = program.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("bat") || extension.eq_ignore_ascii_case("cmd")
    });
    if is_script {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a batch file is not an executable: name the program that it starts",
        ));
    }
    // As the standard library looks for programs.
    if program.extension().is_none() && !program.exists() {
        return text(program.with_extension("exe").as_os_str());
    }
    text(program.as_os_str())
}

/// A text for the system, which can't have a zero in it.
fn text(text: &OsStr) -> io::Result<Vec<u16>> {
    if text.encode_wide().any(|unit| unit == 0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a program, its arguments and its environment have no NUL in them",
        ));
    }
    Ok(wide(text))
}

/// The program and its arguments in one line, from which the program's own start takes them apart again.
fn command_line(command: &Command) -> io::Result<Vec<u16>> {
    let mut line = Vec::new();
    push_quoted(&mut line, &text(command.get_program())?);
    for argument in command.get_args() {
        line.push(u16::from(b' '));
        push_quoted(&mut line, &text(argument)?);
    }
    line.push(0);
    Ok(line)
}

/// Quotes one argument, by the rules of Microsoft's C runtime, which Rust's standard library follows as well: a
/// backslash is one, unless a quote comes after it or after those behind it.
fn push_quoted(line: &mut Vec<u16>, argument: &[u16]) {
    const QUOTE: u16 = b'"' as u16;
    const BACKSLASH: u16 = b'\\' as u16;
    let argument = argument.strip_suffix(&[0]).unwrap_or(argument);
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in argument {
        match *unit {
            BACKSLASH => backslashes += 1,
            QUOTE => {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(*unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

/// This process's environment, with what the command changes in it. Names are the same in any case.
fn environment(command: &Command, is_cleared: bool) -> io::Result<Vec<u16>> {
    let key = |name: &OsStr| name.to_string_lossy().to_uppercase();
    let mut variables: BTreeMap<String, (OsString, OsString)> = BTreeMap::new();
    if !is_cleared {
        for (name, value) in env::vars_os() {
            variables.insert(key(&name), (name, value));
        }
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => {
                variables.insert(key(name), (name.to_owned(), value.to_owned()));
            }
            None => {
                variables.remove(&key(name));
            }
        }
    }
    let mut block = Vec::new();
    for (name, value) in variables.values() {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        block.extend(text(&variable)?);
    }
    // A block without variables has two zeroes, too.
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

/// Kills a child of this process that is still alive.
pub(crate) fn kill_child(pid: u32) -> io::Result<()> {
    let process = open(pid, PROCESS_TERMINATE)?;
    // SAFETY: the handle is open.
    check(unsafe { TerminateProcess(process.as_raw_handle(), 1) })
}

fn open(pid: u32, access: u32) -> io::Result<OwnedHandle> {
    // SAFETY: this takes numbers; the handle that it returns is nobody else's yet.
    unsafe {
        let process = OpenProcess(access, 0, pid);
        if process.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(process))
    }
}

/// A process that can't turn into another one while this is held, as its number could.
#[derive(Debug)]
pub(crate) struct OtherProcess(OwnedHandle);

impl OtherProcess {
    /// The process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE).map(Self)
    }

    /// Why this is not the process that had this number at a time since the machine's start. `None` if it is: then it has
    /// had its number since before.
    pub(crate) fn identity_mismatch(
        &self,
        began_before: Option<Duration>,
        _has_open: &Path,
    ) -> Option<String> {
        let Some(began_before) = began_before else {
            return Some("the record does not print when it began".to_owned());
        };
        let Some(began) = began(self.0.as_handle()) else {
            return Some("the system does not print when it began".to_owned());
        };
        let recorded = now().saturating_sub(uptime().saturating_sub(began_before));
        (began > recorded).then(|| "it began after the daemon was recorded".to_owned())
    }

    /// Asks it to end: only its control endpoint can do that here, and that does not answer.
    #[allow(
        clippy::unused_self,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn terminate(&self) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "Windows has no signal that asks a process to end; the task manager ends it at once",
        ))
    }

    /// Waits for its end. Whether it has ended.
    pub(crate) fn wait(&self, deadline: Instant) -> io::Result<bool> {
        has_ended(self.0.as_handle(), Some(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(argument: &str) -> String {
        let mut line = Vec::new();
        push_quoted(&mut line, &wide(OsStr::new(argument)));
        String::from_utf16(&line).expect("what went in was text")
    }

    #[test]
    fn arguments_are_quoted_as_a_program_takes_them_apart() {
        assert_eq!(quoted(""), r#""""#);
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted(r"C:\dir\"), r#""C:\dir\\""#);
        assert_eq!(quoted(r#"print "hi""#), r#""say \"hi\"""#);
        assert_eq!(quoted(r#"\""#), r#""\\\"""#);
    }

    #[test]
    fn an_environment_knows_a_variable_in_any_case() -> io::Result<()> {
        let mut command = Command::new("any");
        command.env("Some_Name", "1").env("SOME_NAME", "2");
        let block = String::from_utf16_lossy(&environment(&command, true)?);
        assert_eq!(block.matches("=2\0").count(), 1, "{block}");
        assert!(!block.contains("=1\0"), "{block}");
        assert!(block.ends_with("\0\0"), "{block}");
        Ok(())
    }

    #[test]
    fn a_process_gets_older_by_the_clock() {
        let then = uptime();
        let passed = Duration::from_secs(3);
        let (now, later) = (age_at(then), age_at(then + passed));
        let grown = later.zip(now).map(|(later, now)| later.saturating_sub(now));
        assert!(
            grown.is_some_and(|grown| grown.abs_diff(passed) < Duration::from_secs(1)),
            "{now:?} {later:?}"
        );
    }
}
