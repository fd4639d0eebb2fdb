//! Waiting until a daemon is ready that somebody else has started.

use std::time::Instant;

use super::backoff::Backoff;
use super::error::LaunchError;
use crate::control::ControlError;
use crate::control::client;
use crate::deadline::Deadline;
use crate::identity::paths::Paths;

/// Waits until the daemon is ready. `false` if it is ending, and another one can take its place.
pub(super) fn is_ready(paths: &Paths, deadline: &Deadline) -> Result<bool, LaunchError> {
    let timeout = Deadline::after(deadline.end().saturating_duration_since(Instant::now()));
    let mut pause = Backoff::new();
    loop {
        return match client::wait_ready(paths, &timeout, |_| {}) {
            // A hand-written backend counts as ready when it is recorded.
            Ok(()) | Err(ControlError::NoControl { .. }) => Ok(true),
            Err(ControlError::NotRunning { .. } | ControlError::Ending { why: None, .. }) => {
                Ok(false)
            }
            // Too many ask at once.
            Err(ControlError::Refused { .. }) if !deadline.is_over() => {
                pause.pause(deadline);
                continue;
            }
            Err(error) => Err(LaunchError::NotReady(error)),
        };
    }
}
