//! The types that are the same on every platform.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use interprocess::local_socket::Listener as IpcListener;

/// Why a directory is not private to the effective user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "Windows has no permission bits to check")
)]
pub(crate) enum DirectoryFault {
    /// It was created with the permission bits `0700`, and has these.
    CreatedWith(u32),
    /// It is a symbolic link.
    Link,
    /// It is not a directory.
    NotADirectory,
    /// Another user owns it.
    Owner {
        /// The user who owns it.
        owner: u32,
        /// The user who should own it.
        expected: u32,
    },
    /// Its permission bits are not `0700`.
    Mode(u32),
}

/// How a directory compares with one that was seen at its path before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryMatch {
    /// It is the same directory.
    Same,
    /// It is another directory of the same file system.
    Other,
    /// It is on another file system: something was mounted over it, or it was unmounted.
    OtherFileSystem,
    /// It may be either, because the file system has neither stable numbers nor times of creation.
    #[cfg_attr(windows, allow(dead_code, reason = "Windows has stable numbers"))]
    Unknown,
}

/// What a process attempts at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To connect to the socket.
    Connect,
    /// To lock the directory.
    Lock,
    /// To create, replace or remove an entry.
    Entry,
    /// To write the file, and to create it if it is missing.
    Write,
    /// To execute the file.
    Execute,
}

/// Why the system refuses an access.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "Windows has no permission bits to check")
)]
pub(crate) enum AccessFault {
    /// What is at the path belongs to another user, and its mode keeps this user out.
    Owner {
        /// A part of the way to the path of the access, or that path.
        path: PathBuf,
        /// The user who owns it.
        owner: u32,
        /// The user of this process.
        user: u32,
    },
    /// What is at the path belongs to this user, and its mode keeps this user out.
    Mode {
        /// A part of the way to the path of the access, or that path.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// The directory has the attribute of the file system that it cannot be changed.
    Immutable {
        /// The directory.
        path: PathBuf,
    },
    /// The file system of the file is mounted so that no file on it can be executed.
    NoExec,
    /// Nothing of the above refuses the access.
    Policy,
    /// This platform cannot tell.
    #[cfg_attr(unix, allow(dead_code, reason = "Unix can tell"))]
    Unknown,
}

/// What is at the path where a socket is to be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code, reason = "a named pipe has no file"))]
pub(crate) enum PathOccupant {
    /// The path is free.
    Nothing,
    /// A socket of the effective user, with the permissions that `bind` gives.
    OwnSocket,
    /// A socket of the effective user, with permissions that `bind` does not give. Service managers create sockets
    /// like this.
    ServiceManagerSocket,
    /// A socket of another user.
    ForeignSocket(u32),
    /// A file that is not a socket. The text names its type.
    Other(&'static str),
}

/// What the caller has to do after `accept` has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "the accept queue reports no other errors")
)]
pub(crate) enum AcceptError {
    /// Stop: the listener was shut down, and its backlog is empty.
    ShutDown,
    /// Try again: this client has gone, and the next one is not affected.
    Retry,
    /// Wait, then try again: the process or the system has no free descriptors or memory.
    Exhausted,
    /// Give up: the listener is broken.
    Broken,
}

/// Waits until `accept` has something to return, at most for the timeout. Returns whether it has.
#[cfg(feature = "tokio")]
pub(crate) type ClientWait = Box<dyn FnOnce(Duration) -> bool + Send>;

/// The message that a launcher sends to the daemon over its channel.
#[derive(Debug)]
pub(crate) struct ReceivedMessage {
    /// The text.
    pub(crate) text: Vec<u8>,
    /// The instance lock. `None` if the daemon takes the lock itself.
    pub(crate) lock: Option<File>,
    /// The listener. `None` if the daemon binds itself.
    pub(crate) listener: Option<IpcListener>,
}

/// The result of renaming the file at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "only on Unix do processes take turns")
)]
pub(crate) enum RenameOutcome {
    /// The file has its new name.
    Renamed,
    /// Another file, or none, is at the path.
    OtherFile,
    /// Another process is renaming the file at this moment.
    Busy,
}

/// The result of waiting for a line from the daemon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its newline.
    Text(String),
    /// The daemon has closed its end.
    End,
    /// The deadline has passed.
    TimedOut,
}

/// Why `SignalPoller::poll` has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeReason {
    /// A signal asks this process to stop.
    Signal,
    /// `SIGHUP` has arrived.
    #[cfg_attr(windows, allow(dead_code, reason = "Windows has no such signal"))]
    HangUp,
    /// Another thread has called `PollWaker::wake`.
    Thread,
    /// The deadline has passed.
    Deadline,
    /// One of the sources is ready, and none of the other reasons applies.
    Source,
}

/// The result of `SignalPoller::poll`.
#[derive(Debug)]
pub(crate) struct PollResult {
    /// Why the call has returned.
    pub(crate) reason: WakeReason,
    /// For each source, in the caller's order, whether it is ready.
    pub(crate) ready: Vec<bool>,
}

/// What keeps a process from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    any(
        brokered_portable,
        not(any(target_os = "linux", target_os = "android"))
    ),
    allow(dead_code, reason = "other systems have no cheap way to ask")
)]
pub(crate) enum Halt {
    /// A signal has stopped it.
    Stopped,
    /// A debugger has stopped it.
    Traced,
    /// Its control group is frozen.
    Frozen,
}

/// A sample of what a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(
        dead_code,
        reason = "other systems have no cheap way to sample a process"
    )
)]
pub(crate) struct ProcessActivity {
    /// Whether all threads sleep, and none waits for the processor, the disk or a debugger.
    pub(crate) is_asleep: bool,
    /// The CPU time that the process has used.
    pub(crate) cpu_time: Duration,
}
