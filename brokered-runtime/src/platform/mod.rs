//! The one door to the operating system.
//!
//! Everything here is about files, sockets and processes; nothing here knows what a daemon is. Each
//! platform's module offers the same functions, so that the rest of the crate has no `cfg(target)`.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

/// What is wrong with a directory that should be ours alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "Windows has no owner and mode to check")
)]
pub(crate) enum Fault {
    /// It is a symbolic link.
    Link,
    /// It is something else than a directory.
    NotADirectory,
    /// Another user owns it.
    Owner {
        /// The user who owns it.
        owner: u32,
        /// The user who should.
        expected: u32,
    },
    /// Its permission bits are not `0700`.
    Mode(u32),
}

/// What a process is doing, at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "other systems do not say it at a glance")
)]
pub(crate) struct ProcessActivity {
    /// Whether all of it waits for something else than the processor, the disk, or a debugger.
    pub(crate) is_asleep: bool,
    /// The processor time that it has used.
    pub(crate) cpu_time: std::time::Duration,
}

/// What stands at a path where a socket is to be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code, reason = "a named pipe has no file"))]
pub(crate) enum PathOccupant {
    /// Nothing.
    Nothing,
    /// A socket of the effective user's, made as `bind` makes one.
    OwnSocket,
    /// A socket of the effective user's that somebody has made with permissions of its own, as service managers
    /// do.
    MadeSocket,
    /// A socket of another user's.
    ForeignSocket(u32),
    /// Something that is no socket, in words.
    Other(&'static str),
}

/// What an error of `accept` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code, reason = "nothing is accepted there yet"))]
pub(crate) enum AcceptError {
    /// The listener was shut down, and its queue is empty.
    Over,
    /// This client is gone; the next one may be fine.
    Again,
    /// Descriptors or memory ran out: wait a little.
    Exhausted,
    /// The listener is broken.
    Broken,
}

/// What comes over a launcher's channel to the daemon.
#[derive(Debug)]
pub(crate) struct Received {
    /// The text.
    pub(crate) text: Vec<u8>,
    /// The instance lock, unless the daemon takes it.
    pub(crate) lock: Option<std::fs::File>,
    /// The listener, unless the daemon binds itself.
    pub(crate) listener: Option<interprocess::local_socket::Listener>,
}

/// What came of waiting for a line of the daemon's.
#[derive(Debug)]
pub(crate) enum Line {
    /// A line, without its end.
    Text(String),
    /// The other side has closed its end.
    End,
    /// The deadline has passed.
    TimedOut,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeReason {
    /// Something asks this process to end.
    Signal,
    /// Another thread called.
    Thread,
    /// The deadline passed.
    Time,
    /// Something that was watched besides.
    Watched,
}

/// What a wait ended with, and what of what was watched has something.
#[derive(Debug)]
pub(crate) struct Ready {
    /// What the wait ended with.
    pub(crate) reason: WakeReason,
    /// For each that was watched, whether it has something.
    pub(crate) watched: Vec<bool>,
}
