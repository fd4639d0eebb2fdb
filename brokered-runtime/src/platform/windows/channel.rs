//! The launcher's channel: a pipe whose other end is the daemon's standard input.
//!
//! The launcher sends one message before the daemon exists, the daemon answers with lines. Neither lock nor listener
//! can come with it: the daemon takes and binds its own.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interprocess::ConnectWaitMode;
use interprocess::local_socket::Listener as IpcListener;
use interprocess::os::windows::named_pipe::{DuplexPipeStream, pipe_mode::Bytes};

use super::overlapped;
use super::pipes::{create, unknown_name};
use super::process::{self, Standard};
use crate::platform::{Line, Received};

/// The longest message that is ever sent: what a pipe holds before anybody reads.
const LONGEST_MESSAGE: usize = 60 * 1024;

/// How much the launcher is told that it can do without: it may not read, and then what comes later counts more.
const MOST_IN_PASSING: usize = 32 * 1024;

/// How long sending a message may take that there is room for.
const SEND: Duration = Duration::from_secs(5);

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pipe: OwnedHandle,
    /// What has arrived of a line that is not complete yet.
    partial: Vec<u8>,
    told_in_passing: AtomicUsize,
}

/// The end that becomes the daemon's standard input.
#[derive(Debug)]
pub(crate) struct ChannelEnd(OwnedHandle);

impl AsHandle for ChannelEnd {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

impl Channel {
    /// A new channel, and the end for the daemon.
    pub(crate) fn pair() -> io::Result<(Self, ChannelEnd)> {
        let name = unknown_name("launch");
        let listener = create(&name)?;
        let theirs = DuplexPipeStream::<Bytes>::connect_by_path_with_wait_mode(
            name.as_path(),
            ConnectWaitMode::Timeout(SEND),
        )?;
        let ours = listener.accept()?;
        Ok((Self::over(handle(ours)?), ChannelEnd(handle(theirs)?)))
    }

    fn over(pipe: OwnedHandle) -> Self {
        Self {
            pipe,
            partial: Vec::new(),
            told_in_passing: AtomicUsize::new(0),
        }
    }

    /// Whether standard input is a channel whose message begins with this line. Takes nothing out of it.
    pub(crate) fn is_stdin(first_line: &str) -> bool {
        let mut seen = vec![0_u8; first_line.len()];
        process::standard(Standard::Input)
            .filter(|input| process::is_pipe(*input))
            .and_then(|input| overlapped::peek(input, &mut seen).ok())
            .is_some_and(|available| available >= first_line.len() && seen == first_line.as_bytes())
    }

    /// Takes the channel over from standard input, which stays as it is.
    pub(crate) fn from_stdin() -> io::Result<Self> {
        let input = process::standard(Standard::Input).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self::over(input.try_clone_to_owned()?))
    }

    /// Sends the message. The daemon takes its lock and binds by itself.
    pub(crate) fn send(
        &self,
        text: &[u8],
        _lock: Option<&File>,
        _listener: Option<&IpcListener>,
    ) -> io::Result<()> {
        if text.len() > LONGEST_MESSAGE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the launch message is longer than 60 KiB",
            ));
        }
        let sent = overlapped::write(self.pipe.as_handle(), text, Some(Instant::now() + SEND))?;
        if sent == text.len() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the launch message was sent in part only",
        ))
    }

    /// Receives the message. Everything was sent before this process began, so nothing is waited for.
    pub(crate) fn receive(&self) -> io::Result<Received> {
        let mut text = Vec::new();
        let mut buffer = [0_u8; 4096];
        while !text.ends_with(b"\n\n") {
            let length =
                overlapped::read(self.pipe.as_handle(), &mut buffer, overlapped::at_once())?;
            match length {
                None | Some(0) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the launch message ends in its middle",
                    ));
                }
                Some(length) => text.extend_from_slice(&buffer[..length]),
            }
        }
        Ok(Received {
            text,
            lock: None,
            listener: None,
        })
    }

    /// Tells the launcher one line. It may be gone; that is no error of ours, so nothing is waited for.
    pub(crate) fn tell(&self, line: &str) -> io::Result<()> {
        let line = format!("{}\n", line.replace('\n', " "));
        let told = overlapped::write(
            self.pipe.as_handle(),
            line.as_bytes(),
            overlapped::at_once(),
        )?;
        if told == line.len() {
            return Ok(());
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Tells the launcher one line that it can do without.
    pub(crate) fn try_send_line(&self, line: &str) {
        let told = self.told_in_passing.fetch_add(line.len(), Ordering::AcqRel);
        if told + line.len() < MOST_IN_PASSING {
            let _ = self.tell(line);
        }
    }

    /// The next line from the daemon.
    pub(crate) fn next_line(&mut self, deadline: Instant) -> io::Result<Line> {
        loop {
            if let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.partial.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line[..end]).into_owned();
                return Ok(Line::Text(text));
            }
            if Instant::now() >= deadline {
                return Ok(Line::TimedOut);
            }
            let mut buffer = [0_u8; 1024];
            match overlapped::read(self.pipe.as_handle(), &mut buffer, Some(deadline))? {
                Some(0) => return Ok(Line::End),
                Some(length) => self.partial.extend_from_slice(&buffer[..length]),
                None => {}
            }
        }
    }
}

fn handle(stream: DuplexPipeStream<Bytes>) -> io::Result<OwnedHandle> {
    OwnedHandle::try_from(stream).map_err(|_| io::ErrorKind::InvalidInput.into())
}
