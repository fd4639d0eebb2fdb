//! [`FailureReason`]: why the daemon ends although nothing asked it to.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// The first failure of a daemon: a state that did not load, or a panic of `main`. An error that
/// `main` returns is recorded without it.
#[derive(Debug, Default)]
pub(super) struct FailureReason {
    text: OnceLock<String>,
    /// The error number of the system call behind it, or 0.
    errno: AtomicI32,
}

impl FailureReason {
    /// Sets the text. Later failures are ignored: they are consequences of the first.
    pub(super) fn set(&self, text: &str) {
        let _ = self.text.set(text.to_owned());
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.text.get().map(String::as_str)
    }

    pub(super) fn set_errno(&self, errno: Option<i32>) {
        self.errno.store(errno.unwrap_or(0), Ordering::Release);
    }

    pub(super) fn errno(&self) -> Option<i32> {
        let errno = self.errno.load(Ordering::Acquire);
        (errno != 0).then_some(errno)
    }
}
