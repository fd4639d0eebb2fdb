//! [`ControlConnection`]: a request to a daemon's control endpoint, and the lines of its reply.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::error::{ControlError, describe_process};
use super::obstacle;
use super::protocol::{ERROR, Request};
use crate::backoff::Backoff;
use crate::deadline::Deadline;
use crate::fields::Fields;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, Access, PathOccupant};
use crate::record::Record;
use crate::{IpcStream, Refusal};

/// The most bytes of one line of a reply.
const MAX_LINE_SIZE: usize = 256 * 1024;

/// What was received while waiting for a line.
#[derive(Debug)]
pub(super) enum ReceivedLine {
    /// A line, without its end.
    Line(String),
    /// The end of the connection.
    Closed,
    /// Nothing until the deadline.
    TimedOut,
}

/// A connection on which a request was sent.
#[derive(Debug)]
pub(super) struct ControlConnection {
    stream: IpcStream,
    buffer: Vec<u8>,
    control: PathBuf,
    deadline: Instant,
}

impl ControlConnection {
    /// Connects to the control endpoint, and sends a request.
    pub(super) fn request(
        paths: &Paths,
        request: Request,
        deadline: &Deadline,
    ) -> Result<Self, ControlError> {
        let mut stream = connect(paths, deadline)?;
        let line = format!("{}\n", request.as_line());
        match stream.write_all(line.as_bytes()) {
            // A daemon that closes the connection early may have sent an error before it did.
            Err(error) if !is_closed(&error) => {
                return Err(ControlError::io(
                    "send a request to",
                    &paths.control(),
                    error,
                ));
            }
            _ => {}
        }
        Ok(Self {
            stream,
            buffer: Vec::new(),
            control: paths.control(),
            deadline: deadline.end(),
        })
    }

    pub(super) fn set_deadline(&mut self, deadline: &Deadline) {
        self.deadline = deadline.end();
    }

    /// Waits for the next line of the reply. A line that reports an error is returned as [`ControlError::Refused`].
    pub(super) fn receive_line(&mut self) -> Result<ReceivedLine, ControlError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                return match Fields::of(&line).text(ERROR) {
                    Some(message) => Err(ControlError::Refused { message }),
                    None => Ok(ReceivedLine::Line(line)),
                };
            }
            if self.buffer.len() > MAX_LINE_SIZE {
                return Err(ControlError::InvalidReply {
                    reason: format!("a line of more than {MAX_LINE_SIZE} bytes"),
                });
            }
            if Instant::now() >= self.deadline {
                return Ok(ReceivedLine::TimedOut);
            }
            let mut bytes = [0_u8; 4096];
            match platform::receive_until(&self.stream, &mut bytes, self.deadline) {
                Ok(0) => return Ok(ReceivedLine::Closed),
                Ok(length) => self.buffer.extend_from_slice(&bytes[..length]),
                Err(error) if is_closed(&error) => return Ok(ReceivedLine::Closed),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    return Err(ControlError::io("receive from", &self.control, error));
                }
            }
        }
    }
}

/// Connects to the control endpoint. If no process listens while the lock is held, a daemon is about to listen, so
/// this tries again until the deadline.
fn connect(paths: &Paths, deadline: &Deadline) -> Result<IpcStream, ControlError> {
    let control = paths.control();
    let mut backoff = Backoff::new();
    loop {
        let error = match connect_to_socket(&control, deadline.end()) {
            Ok(stream) => return check_peer(stream, &control, paths.directory()),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {}
            io::ErrorKind::PermissionDenied => {
                return Err(ControlError::NoPermission {
                    refusal: Refusal::of(&error, &control, Access::Connect)
                        .unwrap_or(Refusal::Unknown),
                    control,
                    source: error,
                });
            }
            io::ErrorKind::WouldBlock => return Err(no_answer(paths, deadline)),
            _ => return Err(ControlError::io("connect to", &control, error)),
        }
        match InstanceLock::is_held(paths) {
            Ok(true) => {}
            Ok(false) => return Err(ControlError::NotRunning { control }),
            Err(error) => return Err(ControlError::lock(paths.directory(), error)),
        }
        if let Some(record) = Record::read(paths)
            && !record.has_control
        {
            return Err(ControlError::NoControl {
                control,
                holder: describe_process(&record),
            });
        }
        if deadline.is_over() {
            return Err(no_answer(paths, deadline));
        }
        backoff.pause(deadline);
    }
}

/// Connects to the socket at this path. Another process may listen behind a symbolic link, which the daemon never makes.
fn connect_to_socket(control: &Path, deadline: Instant) -> io::Result<IpcStream> {
    match platform::path_occupant(control)? {
        PathOccupant::Other(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        _ => platform::connect(control, deadline),
    }
}

fn check_peer(
    stream: IpcStream,
    control: &Path,
    directory: &Path,
) -> Result<IpcStream, ControlError> {
    match platform::foreign_peer(&stream, Some(directory)) {
        Ok(None) => Ok(stream),
        Ok(Some(user)) => Err(ControlError::ForeignPeer {
            control: control.to_owned(),
            user,
        }),
        Err(error) => Err(ControlError::io(
            "read the peer credentials on",
            control,
            error,
        )),
    }
}

/// Whether an error means only that the peer has closed the connection.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// The error of a request without a reply. If the lock is free by now, the daemon has ended.
pub(super) fn no_answer(paths: &Paths, deadline: &Deadline) -> ControlError {
    let control = paths.control();
    if let Ok(false) = InstanceLock::is_held(paths) {
        return ControlError::NotRunning { control };
    }
    ControlError::NoAnswer {
        control,
        holder: Record::read(paths).as_ref().map(describe_process),
        obstacle: obstacle::of(paths),
        waited: deadline.waited(),
    }
}
