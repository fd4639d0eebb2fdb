//! Small things said to people.

use std::time::Duration;

/// A duration as a person would say it: `850 ms`, `12 s`, `7 min`, `3 h`, `9 d`.
#[must_use]
pub fn said_duration(duration: Duration) -> String {
    crate::text::duration(duration)
}
