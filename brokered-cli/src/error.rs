//! [`CliError`]: why a command has not done what it was asked, and the exit codes.

use std::fmt;
use std::io;

/// Done, or nothing to do.
pub(crate) const DONE: u8 = 0;
/// Something else went wrong; or, from `probe`, the daemon answers and is not ready.
pub(crate) const FAILED: u8 = 1;
/// The command line makes no sense. What clap uses.
pub(crate) const USAGE: u8 = 2;
/// The daemon is not running.
pub(crate) const NOT_RUNNING: u8 = 3;
/// The daemon runs, as far as can be told, and does not answer.
pub(crate) const NO_ANSWER: u8 = 4;
/// What was waited for did not come in time.
pub(crate) const TIMED_OUT: u8 = 5;

/// Why a command has not done what it was asked.
#[derive(Debug)]
pub(crate) enum CliError {
    /// In words, with an exit code.
    Said { code: u8, text: String },
    /// What was to be printed could not be.
    Output(io::Error),
}

impl CliError {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Said { code, text }
    }

    /// Something that went wrong, and has no code of its own.
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self::new(FAILED, text.to_string())
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Said { code, .. } => *code,
            Self::Output(_) if self.is_a_reader_gone() => DONE,
            Self::Output(_) => FAILED,
        }
    }

    /// Whether whoever read the output has gone: `brokered list | head -1`.
    pub(crate) fn is_a_reader_gone(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { text, .. } => f.write_str(text),
            Self::Output(error) => write!(f, "cannot print: {error}"),
        }
    }
}

/// All that this tool does itself with an `io::Error` at hand is printing.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
