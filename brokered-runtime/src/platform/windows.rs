//! Windows, whose turn has not come: everything here says so with `Unsupported`.
//!
//! The doors are those of `unix`, so that the rest of the crate type-checks. What is the same on every
//! platform works.

#![allow(
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "the doors have one shape on every platform"
)]

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use interprocess::local_socket::{Listener as IpcListener, Stream as IpcStream};

use super::{AcceptError, Fault, Glimpse, InTheWay};

fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "brokered daemons are not supported on Windows yet",
    )
}

pub(crate) const HANDS_OVER_LISTENERS: bool = false;

pub(crate) const MESSAGES_HOLD_DESCRIPTORS: bool = false;

pub(crate) fn default_runtime_directory() -> io::Result<PathBuf> {
    Err(unsupported())
}

pub(crate) fn fallback_directory() -> PathBuf {
    std::env::temp_dir().join("brokered")
}

pub(crate) fn age_at(_then: Duration) -> Option<Duration> {
    None
}

pub(crate) fn threads() -> Option<u32> {
    None
}

#[cfg(feature = "testing")]
pub(crate) fn create_new_directory(_path: &Path) -> io::Result<()> {
    Err(unsupported())
}

#[cfg(feature = "testing")]
pub(crate) fn ask_to_end(_child: &process::Child) -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn fits_endpoint(_path: &Path) -> bool {
    true
}

pub(crate) fn create_directory(_path: &Path) -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn check_directory(_path: &Path) -> io::Result<Option<Fault>> {
    Err(unsupported())
}

pub(crate) fn open_lock(_directory: &Path) -> io::Result<File> {
    Err(unsupported())
}

pub(crate) fn is_at(_lock: &File, _directory: &Path) -> io::Result<bool> {
    Err(unsupported())
}

pub(crate) fn in_the_way(_path: &Path) -> io::Result<InTheWay> {
    Err(unsupported())
}

pub(crate) fn replace_file(_path: &Path, _temporary: &Path, _contents: &[u8]) -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn open_append(_path: &Path) -> io::Result<File> {
    Err(unsupported())
}

pub(crate) fn open_regular(_path: &Path) -> io::Result<File> {
    Err(unsupported())
}

pub(crate) fn open_to_note(_path: &Path) -> io::Result<File> {
    Err(unsupported())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity;

pub(crate) fn identity_of(_path: &Path) -> io::Result<Option<FileIdentity>> {
    Err(unsupported())
}

#[derive(Debug)]
pub(crate) struct AcceptedConnections;

impl AcceptedConnections {
    pub(crate) fn on(_path: &Path) -> Self {
        Self
    }

    #[allow(
        clippy::unused_self,
        reason = "the doors have one shape on every platform"
    )]
    pub(crate) fn end_quiet_ones(&mut self) {}
}

pub(crate) fn uptime() -> Duration {
    Duration::ZERO
}

pub(crate) fn boot_id() -> String {
    String::new()
}

pub(crate) fn glimpse(_pid: u32) -> Option<Glimpse> {
    None
}

pub(crate) fn kill_child(_pid: u32) -> io::Result<()> {
    Err(unsupported())
}

#[derive(Debug)]
pub(crate) struct OtherProcess(Infallible);

impl OtherProcess {
    pub(crate) fn open(_pid: u32) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn is_not_the_one(
        &self,
        _began_before: Option<Duration>,
        _has_open: &Path,
    ) -> Option<String> {
        match self.0 {}
    }

    pub(crate) fn terminate(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn wait(&self, _deadline: Instant) -> io::Result<bool> {
        match self.0 {}
    }
}

pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

pub(crate) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

pub(crate) fn bind(_path: &Path) -> io::Result<IpcListener> {
    Err(unsupported())
}

pub(crate) fn listen_again(_listener: &IpcListener) -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn listens_at(_listener: &IpcListener, _path: &Path) -> io::Result<bool> {
    Err(unsupported())
}

pub(crate) fn connect(_path: &Path, _deadline: Instant) -> io::Result<IpcStream> {
    Err(unsupported())
}

#[cfg(feature = "tokio")]
pub(crate) fn into_tokio(
    _stream: IpcStream,
) -> io::Result<interprocess::local_socket::tokio::Stream> {
    Err(unsupported())
}

pub(crate) fn foreign_peer(_stream: &IpcStream) -> io::Result<Option<u32>> {
    Err(unsupported())
}

pub(crate) fn accept(_listener: &IpcListener) -> io::Result<IpcStream> {
    Err(unsupported())
}

pub(crate) fn accept_error(_error: &io::Error) -> AcceptError {
    AcceptError::Broken
}

#[derive(Debug)]
pub(crate) struct AcceptWaker(Infallible);

impl AcceptWaker {
    pub(crate) const REFUSES_NEW_CLIENTS: bool = false;

    pub(crate) fn new(_listener: &IpcListener, _path: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn of_shared(_listener: &IpcListener, _path: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn give_away(&self) {
        match self.0 {}
    }

    pub(crate) fn accept(&self, _listener: &IpcListener) -> io::Result<IpcStream> {
        match self.0 {}
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        match self.0 {}
    }
}

pub(crate) fn take_passed_listener(_place: usize, _passed: usize) -> io::Result<IpcListener> {
    Err(unsupported())
}

pub(crate) fn path_of(_listener: &IpcListener) -> io::Result<Option<PathBuf>> {
    Err(unsupported())
}

#[derive(Debug)]
pub(crate) struct Notifier(Infallible);

impl Notifier {
    pub(crate) fn named_by(_variable: &str) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn tell(&self, _what: &str) {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Channel(Infallible);

#[derive(Debug)]
pub(crate) struct ChannelEnd(Infallible);

impl From<ChannelEnd> for Stdio {
    fn from(end: ChannelEnd) -> Self {
        match end.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) text: Vec<u8>,
    pub(crate) lock: File,
    pub(crate) listener: Option<IpcListener>,
}

#[derive(Debug)]
#[allow(dead_code, reason = "nothing is received yet")]
pub(crate) enum Line {
    Text(String),
    End,
    TimedOut,
}

impl Channel {
    pub(crate) fn pair() -> io::Result<(Self, ChannelEnd)> {
        Err(unsupported())
    }

    pub(crate) fn is_stdin(_first_line: &str) -> bool {
        false
    }

    pub(crate) fn from_stdin() -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn send(
        &self,
        _text: &[u8],
        _lock: &File,
        _listener: Option<&IpcListener>,
    ) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn receive(&self) -> io::Result<Received> {
        match self.0 {}
    }

    pub(crate) fn tell(&self, _line: &str) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn tell_in_passing(&self, _line: &str) {
        match self.0 {}
    }

    pub(crate) fn next_line(&mut self, _deadline: Instant) -> io::Result<Line> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct SignalPipe(Infallible);

#[derive(Debug, Clone)]
pub(crate) struct Wake(Infallible);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "nobody wakes anybody yet")]
pub(crate) enum Woken {
    Signal,
    Thread,
    Time,
    Watched,
}

#[derive(Debug)]
#[allow(dead_code, reason = "nothing is watched yet")]
pub(crate) enum Watch<'a> {
    Listener(&'a IpcListener),
    Reading(&'a IpcStream),
    Ending(&'a IpcStream),
}

#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) woken: Woken,
    pub(crate) watched: Vec<bool>,
}

impl SignalPipe {
    pub(crate) fn install() -> io::Result<(Self, Wake)> {
        Err(unsupported())
    }

    pub(crate) fn wait_and_watch(
        &mut self,
        _watched: &[Watch<'_>],
        _deadline: Option<Instant>,
    ) -> io::Result<Ready> {
        match self.0 {}
    }
}

impl Wake {
    pub(crate) fn wake(&self) {
        match self.0 {}
    }
}

pub(crate) fn drop_inherited() {}

pub(crate) fn reset_signals() {}

pub(crate) fn drop_terminal() {}

pub(crate) fn null_input() -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn forget_variables(_names: &[&str]) {}

pub(crate) fn end_process(code: u8) -> ! {
    process::exit(i32::from(code))
}

#[cfg(feature = "fault-injection")]
pub(crate) fn kill_this_process() -> ! {
    process::abort()
}

/// There is no fork.
#[derive(Debug)]
pub(crate) struct ForkSeal;

impl ForkSeal {
    pub(crate) fn new<T>(_descriptor: &T) -> Self {
        Self
    }

    pub(crate) fn of_listener(_listener: &IpcListener) -> Self {
        Self
    }
}

pub(crate) fn current_executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

pub(crate) fn name_program(_command: &mut Command, _name: &OsStr) {}

pub(crate) fn detach(_command: &mut Command) {}

pub(crate) fn become_program(_command: &mut Command) -> io::Error {
    unsupported()
}

#[cfg(feature = "cli")]
pub(crate) fn listening_process(_stream: &IpcStream) -> Option<u32> {
    None
}

#[cfg(feature = "cli")]
pub(crate) fn open_files_limit() -> Option<u64> {
    None
}

#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct AsyncListener(Infallible);

#[cfg(feature = "tokio")]
pub(crate) type AsyncStream = tokio::io::DuplexStream;

#[cfg(feature = "tokio")]
impl AsyncListener {
    pub(crate) fn new(_listener: IpcListener) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn accept_queued(&self) -> io::Result<AsyncStream> {
        match self.0 {}
    }

    pub(crate) fn poll_accept(
        &self,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<AsyncStream>> {
        match self.0 {}
    }
}
