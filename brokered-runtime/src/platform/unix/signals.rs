//! Signals as bytes in a pipe, which other threads can write to as well.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signal_hook::low_level::pipe;

use super::process::is_ignored;

/// What `signal-hook` writes for a signal.
const SIGNAL: u8 = b'X';
/// What [`Wake::wake`] writes.
const WAKE: u8 = b'w';

/// The reading end.
#[derive(Debug)]
pub(crate) struct SignalPipe(UnixStream);

/// The writing end, for other threads.
#[derive(Debug, Clone)]
pub(crate) struct Wake(Arc<UnixStream>);

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// At least one signal came.
    Signal,
    /// Another thread called.
    Thread,
    /// The deadline passed.
    Time,
}

impl SignalPipe {
    /// Takes over the signals that ask a process to end: `SIGTERM`, and `SIGINT` unless whoever
    /// started this process had it ignored, as a shell does for a job in the background.
    pub(crate) fn install() -> io::Result<(Self, Wake)> {
        let (reader, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        pipe::register(libc::SIGTERM, writer.try_clone()?)?;
        if !is_ignored(libc::SIGINT) {
            pipe::register(libc::SIGINT, writer.try_clone()?)?;
        }
        Ok((Self(reader), Wake(Arc::new(writer))))
    }

    /// Waits for a signal, another thread, or the deadline.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Woken> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Woken::Time);
            }
            self.0
                .set_read_timeout(left.map(|left| left.max(Duration::from_micros(1))))?;
            let mut bytes = [0_u8; 64];
            match self.0.read(&mut bytes) {
                Ok(length) if bytes[..length].contains(&SIGNAL) => return Ok(Woken::Signal),
                Ok(_) => return Ok(Woken::Thread),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Wake {
    /// Wakes the thread that waits on the pipe. A full pipe wakes it, too.
    pub(crate) fn wake(&self) {
        let _ = (&*self.0).write(&[WAKE]);
    }
}
