//! The connections that this process has accepted.

use std::path::Path;

/// Windows cannot shut down one direction of a pipe, and does not tell which connections are quiet. So a drain serves
/// all of them until they end.
#[derive(Debug)]
pub(crate) struct AcceptedConnections;

impl AcceptedConnections {
    pub(crate) fn on(_path: &Path) -> Self {
        Self
    }

    #[allow(
        clippy::unused_self,
        reason = "the signature is the same on every platform"
    )]
    pub(crate) fn shut_down_quiet(&mut self) {}
}
