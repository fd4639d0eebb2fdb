//! Waiting for signals, for other threads, and for clients, all in one call.
//!
//! A signal handler may not do much, so it writes a byte to a socket pair, which `poll` can wait for.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;

use super::accept::AcceptQueue;
use super::file_size::survive_file_size_limit;
use super::listener::as_unix;
use super::process::is_ignored;
use super::signal_handler;
use crate::platform::types::{PollResult, WakeReason};

/// The byte that [`PollWaker::wake`] writes.
const WAKE: u8 = b'w';

/// Waits for signals. It is the reading end of the socket pair.
#[derive(Debug)]
pub(crate) struct SignalPoller(UnixStream);

/// Wakes the thread that waits. It is the writing end of the socket pair.
#[derive(Debug, Clone)]
pub(crate) struct PollWaker(Arc<UnixStream>);

impl SignalPoller {
    /// Handles `SIGTERM`. Also `SIGINT` and `SIGHUP`, unless the starter had them ignored, as a shell does with `SIGINT`
    /// for a background job, and `nohup` with `SIGHUP`.
    pub(crate) fn install() -> io::Result<(Self, PollWaker)> {
        let (reader, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        let mut signals = vec![libc::SIGTERM];
        signals.extend(
            [libc::SIGINT, libc::SIGHUP]
                .into_iter()
                .filter(|signal| !is_ignored(*signal)),
        );
        signal_handler::install(&signals, writer.try_clone()?)?;
        survive_file_size_limit();
        Ok((Self(reader), PollWaker(Arc::new(writer))))
    }

    pub(crate) fn poll(
        &mut self,
        sources: &[PollSource<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<PollResult> {
        let mut entries: Vec<libc::pollfd> = Vec::with_capacity(1 + sources.len());
        entries.push(entry(self.0.as_raw_fd(), libc::POLLIN));
        entries.extend(sources.iter().map(PollSource::entry));
        loop {
            let left = if signal_handler::has_arrived() {
                // The second of two signals whose bytes were read at once.
                Some(Duration::ZERO)
            } else {
                deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
            };
            // SAFETY: `entries` is valid for reads and writes of the length that is passed with it. Its descriptors
            // are open, because their owners are borrowed.
            let number = unsafe {
                libc::poll(
                    entries.as_mut_ptr(),
                    entries.len() as libc::nfds_t,
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
            let has_bytes = entries[0].revents != 0;
            if has_bytes {
                self.discard_bytes()?;
            }
            // After the bytes, so that a signal that arrives in between has its own byte.
            if let Some(reason) = signal_handler::take() {
                return Ok(result(reason, &entries[1..]));
            }
            if number == 0 {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ok(result(WakeReason::Deadline, &entries[1..]));
                }
                continue;
            }
            let reason = if has_bytes {
                WakeReason::Thread
            } else {
                WakeReason::Source
            };
            return Ok(result(reason, &entries[1..]));
        }
    }

    /// Reads the bytes that have woken the thread. What they stand for is in flags.
    fn discard_bytes(&mut self) -> io::Result<()> {
        let mut bytes = [0_u8; 64];
        self.0.read(&mut bytes).map(drop)
    }
}

/// What a thread waits for besides signals.
#[derive(Debug)]
pub(crate) enum PollSource<'a> {
    /// A client can be accepted.
    Listener(&'a AcceptQueue),
    /// Bytes can be read.
    Readable(&'a IpcStream),
    /// The peer has closed the connection.
    HangUp(&'a IpcStream),
}

impl PollSource<'_> {
    fn entry(&self) -> libc::pollfd {
        match self {
            Self::Listener(queue) => entry(as_unix(queue).as_raw_fd(), libc::POLLIN),
            Self::Readable(IpcStream::UdSocket(stream)) => {
                entry(stream.as_fd().as_raw_fd(), libc::POLLIN)
            }
            // `poll` always reports a hang-up, so no event has to be requested.
            Self::HangUp(IpcStream::UdSocket(stream)) => entry(stream.as_fd().as_raw_fd(), 0),
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

/// The timeout for `poll`. It is rounded up, so that the thread does not wake before the deadline and sleep again.
fn milliseconds(left: Option<Duration>) -> libc::c_int {
    let Some(left) = left else { return -1 };
    let whole = left.as_millis() + u128::from(left.subsec_nanos() % 1_000_000 != 0);
    libc::c_int::try_from(whole).unwrap_or(libc::c_int::MAX)
}

fn result(reason: WakeReason, entries: &[libc::pollfd]) -> PollResult {
    PollResult {
        reason,
        ready: entries.iter().map(|entry| entry.revents != 0).collect(),
    }
}

impl PollWaker {
    /// A full socket pair needs no further byte, because the thread wakes for those that are in it.
    pub(crate) fn wake(&self) {
        let _ = (&*self.0).write(&[WAKE]);
    }
}
