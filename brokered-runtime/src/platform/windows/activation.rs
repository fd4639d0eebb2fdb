//! Socket activation and service manager notification: Windows has neither.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;

use interprocess::local_socket::Listener as IpcListener;

fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "service managers do not pass listeners on Windows",
    )
}

pub(crate) fn take_passed_listener(_index: usize, _passed: usize) -> io::Result<IpcListener> {
    Err(unsupported())
}

pub(crate) fn listener_path(_listener: &IpcListener) -> io::Result<Option<PathBuf>> {
    Err(unsupported())
}

/// No value of this type exists.
#[derive(Debug)]
pub(crate) struct Notifier(Infallible);

impl Notifier {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn from_variable(_variable: &str) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn notify(&self, _message: &str) {
        match self.0 {}
    }
}
