//! [`Error`]: why a daemon for a test could not be started, reached or stopped.

use std::fmt;
use std::io;

/// Why a daemon for a test could not be started, reached or stopped.
///
/// ```
/// use std::io::ErrorKind;
/// use brokered_runtime::testing;
///
/// let error = testing::launch("/does/not/exist").start().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// ```
#[derive(Debug)]
pub struct Error {
    operation: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// The operation is what follows "cannot" in the text.
    pub(super) fn new(
        operation: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            operation: operation.into(),
            source: source.into(),
        }
    }

    /// The kind of the [`io::Error`] among the causes, or [`io::ErrorKind::Other`] if there is none.
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
        write!(f, "cannot {}: {}", self.operation, self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}
