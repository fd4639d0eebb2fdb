//! [`CliError`]: why a command failed, and the exit codes.

use std::fmt;
use std::io;

/// The command succeeded, or there was nothing to do.
pub(crate) const SUCCESS: u8 = 0;
/// Any other failure. From `probe`: the daemon answers and is not ready.
pub(crate) const FAILURE: u8 = 1;
/// The command line is not valid. clap uses the same code.
pub(crate) const USAGE: u8 = 2;
/// The daemon is not running.
pub(crate) const NOT_RUNNING: u8 = 3;
/// A process holds the instance lock and does not answer.
pub(crate) const NO_ANSWER: u8 = 4;
/// The timeout has passed.
pub(crate) const TIMED_OUT: u8 = 5;

/// From `reload`: the daemon does not take reloads, or is older than they are.
pub(crate) const NOT_TAKEN: u8 = 6;
/// From `reload`: the daemon refused the reload, and goes on as before.
pub(crate) const REFUSED: u8 = 7;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum CliError {
    /// A message with an exit code.
    Message { code: u8, text: String },
    /// The output could not be written.
    Output(io::Error),
}

impl CliError {
    pub(crate) fn new(code: u8, text: impl fmt::Display) -> Self {
        let text = text.to_string();
        Self::Message { code, text }
    }

    /// A failure without an exit code of its own.
    pub(crate) fn failure(text: impl fmt::Display) -> Self {
        Self::new(FAILURE, text)
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Message { code, .. } => *code,
            Self::Output(_) if self.is_broken_pipe() => SUCCESS,
            Self::Output(_) => FAILURE,
        }
    }

    /// Whether the reader of the output has ended: `brokered list | head -1`.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { text, .. } => f.write_str(text),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

/// The tool handles all other `io::Error`s where they occur, so that `?` always means the output.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
