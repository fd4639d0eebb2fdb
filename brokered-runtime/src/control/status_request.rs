//! The request `status`, which [`Instance::status`](crate::Instance::status) sends, and others that look into a daemon.

use std::time::Duration;

use super::connection::{ControlConnection, ReceivedLine, no_answer};
use super::error::ControlError;
use super::protocol::Request;
use super::status::Status;
use crate::deadline::Deadline;
use crate::identity::paths::Paths;

/// How long a call may take after its deadline to ask the daemon what keeps it. It answers at once, or not at all.
pub(super) const STATUS_TIMEOUT: Duration = Duration::from_millis(50);

/// Requests the status.
pub(crate) fn status(paths: &Paths, deadline: &Deadline) -> Result<Status, ControlError> {
    let mut connection = ControlConnection::request(paths, Request::Status, deadline)?;
    let mut reply = String::new();
    loop {
        match connection.receive_line()? {
            ReceivedLine::Line(line) if line.is_empty() => break,
            ReceivedLine::Line(line) => {
                reply.push_str(&line);
                reply.push('\n');
            }
            ReceivedLine::Closed | ReceivedLine::TimedOut => {
                return Err(no_answer(paths, deadline));
            }
        }
    }
    Status::from_text(&reply).ok_or_else(|| ControlError::InvalidReply {
        reason: format!("not a status: {reply:?}"),
    })
}
