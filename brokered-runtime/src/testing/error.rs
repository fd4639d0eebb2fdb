//! [`Error`]: why a test has no daemon.

use std::fmt;
use std::io;

/// Why a test has no daemon.
#[derive(Debug)]
pub struct Error {
    doing: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    pub(super) fn new(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            doing: doing.into(),
            source: source.into(),
        }
    }

    /// What kind of error of the system is behind it, if one is.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self.source.as_ref());
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return error.kind();
            }
            cause = error.source();
        }
        io::ErrorKind::Other
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
