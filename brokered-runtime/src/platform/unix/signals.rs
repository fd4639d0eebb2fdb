//! Signals as bytes in a pipe, which other threads can write to as well.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;
use signal_hook::low_level::pipe;

use super::process::is_ignored;
use super::socket::{AcceptQueue, as_unix};
use crate::platform::{Ready, WakeReason};

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

    /// Waits for a signal, another thread, the deadline, or what is watched. Being woken for that alone counts
    /// as [`WakeReason::Watched`].
    pub(crate) fn poll(
        &mut self,
        watched: &[PollSource<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<Ready> {
        let mut polled: Vec<libc::pollfd> = Vec::with_capacity(1 + watched.len());
        polled.push(entry(self.0.as_raw_fd(), libc::POLLIN));
        polled.extend(watched.iter().map(PollSource::entry));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // SAFETY: `polled` is valid for reads and writes of the length that is passed with it, and its
            // descriptors are open as long as what they were taken from is borrowed.
            let number = unsafe {
                libc::poll(
                    polled.as_mut_ptr(),
                    polled.len() as libc::nfds_t,
                    milliseconds(left),
                )
            };
            if number < 0 {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(error);
            }
            if number == 0 {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ok(ready(WakeReason::Time, &polled[1..]));
                }
                continue;
            }
            let reason = if polled[0].revents == 0 {
                WakeReason::Watched
            } else {
                self.read()?
            };
            return Ok(ready(reason, &polled[1..]));
        }
    }

    fn read(&mut self) -> io::Result<WakeReason> {
        let mut bytes = [0_u8; 64];
        let length = self.0.read(&mut bytes)?;
        if bytes[..length].contains(&SIGNAL) {
            Ok(WakeReason::Signal)
        } else {
            Ok(WakeReason::Thread)
        }
    }
}

/// What a thread waits for besides signals.
#[derive(Debug)]
pub(crate) enum PollSource<'a> {
    /// A client to accept.
    Listener(&'a AcceptQueue),
    /// Something to read.
    Reading(&'a IpcStream),
    /// The other side's hanging up.
    Ending(&'a IpcStream),
}

impl PollSource<'_> {
    fn entry(&self) -> libc::pollfd {
        match self {
            Self::Listener(listener) => entry(as_unix(listener).as_raw_fd(), libc::POLLIN),
            Self::Reading(IpcStream::UdSocket(stream)) => {
                entry(stream.as_fd().as_raw_fd(), libc::POLLIN)
            }
            // Hanging up is told without being asked for.
            Self::Ending(IpcStream::UdSocket(stream)) => entry(stream.as_fd().as_raw_fd(), 0),
        }
    }
}

fn entry(descriptor: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        fd: descriptor,
        events,
        revents: 0,
    }
}

/// For `poll`: rounded up, so that nobody wakes before the deadline and has to sleep once more.
fn milliseconds(left: Option<Duration>) -> libc::c_int {
    let Some(left) = left else { return -1 };
    let whole = left.as_millis() + u128::from(left.subsec_nanos() % 1_000_000 != 0);
    libc::c_int::try_from(whole).unwrap_or(libc::c_int::MAX)
}

fn ready(reason: WakeReason, watched: &[libc::pollfd]) -> Ready {
    Ready {
        reason,
        watched: watched.iter().map(|one| one.revents != 0).collect(),
    }
}

impl Wake {
    /// Wakes the thread that waits on the pipe. A full pipe wakes it, too.
    pub(crate) fn wake(&self) {
        let _ = (&*self.0).write(&[WAKE]);
    }
}
