//! The control protocol: what is asked on an instance's `control` endpoint, and what is answered there.
//!
//! One request, which is one line, and one reply of `KEY=VALUE` lines that an empty line ends. It is the
//! framework's own endpoint, so that the daemon's own stays the daemon's.

pub(crate) mod client;
mod error;
mod status;

pub use client::StopOutcome;
pub use error::ControlError;
pub use status::{Load, LoadState, Milestone, Status};

/// The longest request, with its end.
pub(crate) const LONGEST_REQUEST: usize = 4096;

/// What ends a reply that is an error: `ERROR=...`.
pub(crate) const ERROR: &str = "ERROR";
/// The phase that the daemon is in.
pub(crate) const PHASE: &str = "PHASE";
/// How far a load is, in the daemon's words.
pub(crate) const PROGRESS: &str = "STATUS";
/// Why the daemon cannot go on.
pub(crate) const FAILED: &str = "FAILED";

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// How is the daemon?
    Status,
    /// Tell what comes, until the daemon is ready or ends.
    WaitReady,
    /// End. The connection stays until the daemon has.
    Stop,
}

impl Request {
    pub(crate) const ALL: [Self; 3] = [Self::Status, Self::WaitReady, Self::Stop];

    /// The line that asks for it, without its end.
    pub(crate) fn as_line(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::WaitReady => "wait ready",
            Self::Stop => "stop",
        }
    }

    /// Reads a line, with or without the carriage return that some tools add.
    pub(crate) fn from_line(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self::ALL
            .into_iter()
            .find(|request| request.as_line().as_bytes() == line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_three_lines() {
        for request in Request::ALL {
            assert_eq!(
                Request::from_line(request.as_line().as_bytes()),
                Some(request)
            );
        }
        assert_eq!(Request::from_line(b"status\r"), Some(Request::Status));
        for nonsense in [&b""[..], b"Status", b"status ", b"stop\0", b"wait", b"\xff"] {
            assert_eq!(Request::from_line(nonsense), None);
        }
    }
}
