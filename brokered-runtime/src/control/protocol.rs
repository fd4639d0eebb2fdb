//! The control protocol: one request line, and one reply of `KEY=VALUE` lines that an empty line ends.
//!
//! It has an endpoint of its own, so that the daemon's endpoint carries the daemon's protocol alone.

/// The most bytes of a request, including its end of line.
pub(crate) const MAX_REQUEST_SIZE: usize = 4096;

/// The key of a reply that is an error.
pub(crate) const ERROR: &str = "ERROR";
/// The key of the daemon's phase.
pub(crate) const PHASE: &str = "PHASE";
/// The key of the progress text that the daemon has set.
pub(crate) const PROGRESS: &str = "STATUS";
/// The key of the daemon's failure.
pub(crate) const FAILED: &str = "FAILED";

/// The key of the result of a reload.
pub(crate) const RELOAD: &str = "RELOAD";
/// All parts of the daemon have taken over what has changed.
pub(crate) const RELOAD_DONE: &str = "done";
/// The daemon goes on as before. [`RELOAD_REASON`] says why.
pub(crate) const RELOAD_REFUSED: &str = "refused";
/// The daemon does not take reloads.
pub(crate) const RELOAD_NOT_TAKEN: &str = "not taken";
/// The key of the reason of a refusal.
pub(crate) const RELOAD_REASON: &str = "REASON";
/// The key of the time that a reload took, in microseconds.
pub(crate) const RELOAD_TOOK: &str = "RELOAD_US";

/// How the error of a request begins that only newer daemons know. The client recognises an older daemon by it.
pub(crate) const UNKNOWN_REQUEST: &str = "unknown request ";

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Reply with the status.
    Status,
    /// Reply with each change, until the daemon is ready or ends.
    WaitReady,
    /// Shut down. The connection stays open until the daemon has ended.
    Stop,
    /// Reload. Reply once that has ended.
    Reload,
}

impl Request {
    pub(crate) const ALL: [Self; 4] = [Self::Status, Self::WaitReady, Self::Stop, Self::Reload];

    /// The request line, without its end of line.
    pub(crate) fn as_line(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::WaitReady => "wait ready",
            Self::Stop => "stop",
            Self::Reload => "reload",
        }
    }

    /// Parses a request line, with or without the carriage return that some tools add.
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
    fn only_the_request_lines_are_requests() {
        for request in Request::ALL {
            assert_eq!(
                Request::from_line(request.as_line().as_bytes()),
                Some(request)
            );
        }
        assert_eq!(Request::from_line(b"status\r"), Some(Request::Status));
        for line in [&b""[..], b"Status", b"status ", b"stop\0", b"wait", b"\xff"] {
            assert_eq!(Request::from_line(line), None);
        }
    }
}
