//! Small things said to people.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// Says something on standard error, and does not mind if nobody hears it: `eprintln!` panics where its
/// reader is gone or the disk is full, and a daemon outlives both.
pub(crate) fn print(name: &str, what: impl fmt::Display) {
    let line = format!("{name}: {what}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// A duration as a person would say it: `850 ms`, `12 s`, `7 min`, `3 h`, `9 d`.
pub(crate) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_one_unit() {
        let said = |seconds| format_duration(Duration::from_secs(seconds));
        assert_eq!(format_duration(Duration::from_millis(850)), "850 ms");
        assert_eq!(said(12), "12 s");
        assert_eq!(said(600), "10 min");
        assert_eq!(said(7200), "2 h");
        assert_eq!(said(864_000), "10 d");
    }
}
