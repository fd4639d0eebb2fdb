//! Waiting until a daemon is ready that somebody else has started.

use std::time::Instant;

use super::clock::{Clock, Pause};
use super::error::LaunchError;
use crate::control::ControlError;
use crate::control::client::{self, Patience};
use crate::identity::paths::Paths;

/// Waits until the daemon is ready. `false` if it is ending, and another one can take its place.
pub(super) fn is_ready(paths: &Paths, clock: &Clock) -> Result<bool, LaunchError> {
    let patience = Patience::of(clock.deadline.saturating_duration_since(Instant::now()));
    let mut pause = Pause::new();
    loop {
        return match client::wait_ready(paths, &patience, |_| {}) {
            // A hand-written backend counts as ready when it is recorded.
            Ok(()) | Err(ControlError::NoControl { .. }) => Ok(true),
            Err(ControlError::NotRunning { .. } | ControlError::Ending { why: None, .. }) => {
                Ok(false)
            }
            // Too many ask at once.
            Err(ControlError::Refused { .. }) if !clock.is_over() => {
                pause.pause(clock);
                continue;
            }
            Err(error) => Err(LaunchError::NotReady(error)),
        };
    }
}
