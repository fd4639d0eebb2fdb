//! The channel: a pipe between a launcher and the daemon that it starts. The daemon's end is its standard input.
//!
//! Before the daemon exists, the launcher sends one message. The daemon answers with lines. A pipe carries neither a
//! lock nor a listener, so the daemon takes the lock and binds itself.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interprocess::ConnectWaitMode;
use interprocess::local_socket::Listener as IpcListener;
use interprocess::os::windows::named_pipe::{DuplexPipeStream, pipe_mode::Bytes};

use super::overlapped;
use super::pipe::{create_pipe, secret_pipe_name};
use super::standard_handles::{StandardHandle, is_pipe};
use crate::platform::lines::{self, LineReader};
use crate::platform::types::{Line, ReceivedMessage};

/// The longest message. It must fit in the buffer of the pipe, because the daemon reads it later.
const LONGEST_MESSAGE: usize = 60 * 1024;

/// The number of bytes of progress that are sent at most. A launcher may not read them, and then the lines that matter,
/// such as a failure, still need room in the buffer.
const MAX_PROGRESS: usize = 32 * 1024;

/// How long connecting the two ends, and sending a message that fits in the buffer, may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pipe: OwnedHandle,
    lines: LineReader,
    /// The number of bytes of progress that were sent.
    progress: AtomicUsize,
}

/// The daemon's end, which becomes its standard input.
#[derive(Debug)]
pub(crate) struct ChannelEnd(OwnedHandle);

impl AsHandle for ChannelEnd {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

impl Channel {
    pub(crate) fn pair() -> io::Result<(Self, ChannelEnd)> {
        let name = secret_pipe_name("launch");
        let listener = create_pipe(&name)?;
        let daemon = DuplexPipeStream::<Bytes>::connect_by_path_with_wait_mode(
            name.as_path(),
            ConnectWaitMode::Timeout(SEND_TIMEOUT),
        )?;
        let launcher = listener.accept()?;
        Ok((
            Self::from_pipe(handle(launcher)?),
            ChannelEnd(handle(daemon)?),
        ))
    }

    fn from_pipe(pipe: OwnedHandle) -> Self {
        Self {
            pipe,
            lines: LineReader::default(),
            progress: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_stdin(first_line: &str) -> bool {
        let mut seen = vec![0_u8; first_line.len()];
        StandardHandle::Input
            .get()
            .filter(|input| is_pipe(*input))
            .and_then(|input| overlapped::peek(input, &mut seen).ok())
            .is_some_and(|available| available >= first_line.len() && seen == first_line.as_bytes())
    }

    /// Standard input stays open as well.
    pub(crate) fn from_stdin() -> io::Result<Self> {
        let input = StandardHandle::Input.get().ok_or(io::ErrorKind::NotFound)?;
        Ok(Self::from_pipe(input.try_clone_to_owned()?))
    }

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
        let sent = overlapped::write(
            self.pipe.as_handle(),
            text,
            Some(Instant::now() + SEND_TIMEOUT),
        )?;
        if sent == text.len() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "only a part of the launch message was sent",
        ))
    }

    /// Does not block, because the launcher sent the message before it started this process.
    pub(crate) fn receive(&self) -> io::Result<ReceivedMessage> {
        let mut text = Vec::new();
        let mut buffer = [0_u8; 4096];
        while !text.ends_with(b"\n\n") {
            let length =
                overlapped::read(self.pipe.as_handle(), &mut buffer, overlapped::no_wait())?;
            match length {
                None | Some(0) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the launch message is not complete",
                    ));
                }
                Some(length) => text.extend_from_slice(&buffer[..length]),
            }
        }
        Ok(ReceivedMessage {
            text,
            lock: None,
            listener: None,
        })
    }

    /// The launcher may have ended, so this does not block.
    pub(crate) fn send_line(&self, line: &str) -> io::Result<()> {
        let line = lines::terminated(line);
        let sent = overlapped::write(
            self.pipe.as_handle(),
            line.as_bytes(),
            overlapped::no_wait(),
        )?;
        if sent == line.len() {
            return Ok(());
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(crate) fn try_send_line(&self, line: &str) {
        let sent = self.progress.fetch_add(line.len(), Ordering::AcqRel);
        if sent + line.len() < MAX_PROGRESS {
            let _ = self.send_line(line);
        }
    }

    pub(crate) fn next_line(&mut self, deadline: Instant) -> io::Result<Line> {
        let pipe = self.pipe.as_handle();
        self.lines.next(deadline, |buffer| {
            overlapped::read(pipe, buffer, Some(deadline))
        })
    }
}

fn handle(stream: DuplexPipeStream<Bytes>) -> io::Result<OwnedHandle> {
    OwnedHandle::try_from(stream).map_err(|_| io::ErrorKind::InvalidInput.into())
}
