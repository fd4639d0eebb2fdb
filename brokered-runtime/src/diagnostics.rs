//! Messages for people: lines on standard error, durations, and the text of a panic.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use crate::platform;
use crate::timestamp::rfc3339;

/// Prints a line on standard error, and ignores a failure: a daemon outlives a closed terminal and a full disk, on
/// which `eprintln!` would panic.
///
/// The line begins with the time if it goes to a file. A terminal needs no time, and the journal of systemd adds one.
pub(crate) fn print(name: &str, message: impl fmt::Display) {
    let line = if platform::is_stderr_regular_file() {
        format!("{} {name}: {message}\n", rfc3339(SystemTime::now()))
    } else {
        format!("{name}: {message}\n")
    };
    // In one piece, so that no other line comes between its parts.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// A duration in one unit, rounded down: `850 ms`, `12 s`, `7 min`, `3 h`, `9 d`.
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

/// The message of a panic, if it is text.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is not text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit() {
        let seconds = |seconds| format_duration(Duration::from_secs(seconds));
        assert_eq!(format_duration(Duration::from_millis(850)), "850 ms");
        assert_eq!(seconds(12), "12 s");
        assert_eq!(seconds(600), "10 min");
        assert_eq!(seconds(7200), "2 h");
        assert_eq!(seconds(864_000), "10 d");
    }
}
