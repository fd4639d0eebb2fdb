//! Descriptors in reserve. A process on Windows can have millions of handles, so none are kept, and none are counted.

use std::io;
use std::time::Duration;

use super::accept::AcceptQueue;

#[derive(Debug)]
pub(crate) struct ReservedDescriptor;

impl ReservedDescriptor {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self)
    }
}

pub(crate) fn is_out_of_descriptors(_error: &io::Error) -> bool {
    false
}

pub(crate) fn wait_for_client(_queue: &AcceptQueue, _timeout: Duration) -> bool {
    true
}

pub(crate) fn open_descriptors() -> Option<u64> {
    None
}
