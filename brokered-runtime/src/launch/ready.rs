//! Waiting until a daemon is ready that another process has started.

use super::error::LaunchError;
use crate::backoff::Backoff;
use crate::control::ControlError;
use crate::control::client;
use crate::deadline::Deadline;
use crate::identity::paths::Paths;

/// Waits until the daemon is ready. `false` if it ends without a failure, so that another one can be started.
pub(super) fn wait_until_ready(paths: &Paths, deadline: &Deadline) -> Result<bool, LaunchError> {
    let mut backoff = Backoff::new();
    loop {
        return match client::wait_ready(paths, deadline, |_| {}) {
            // A hand-written backend has no states to load: it is ready when it is recorded.
            Ok(()) | Err(ControlError::NoControl { .. }) => Ok(true),
            Err(ControlError::NotRunning { .. } | ControlError::Ending { reason: None, .. }) => {
                Ok(false)
            }
            // The control endpoint serves a limited number of clients at a time.
            Err(ControlError::Refused { .. }) if !deadline.is_over() => {
                backoff.pause(deadline);
                continue;
            }
            Err(error) => Err(LaunchError::NotReady(error)),
        };
    }
}
