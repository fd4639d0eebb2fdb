//! The boot time clock, which cannot be set, and the time of day, in which Windows reports when a process started.

use std::time::Duration;

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::SystemInformation::{GetSystemTimeAsFileTime, GetTickCount64};

pub(crate) fn uptime() -> Duration {
    // SAFETY: this takes no arguments.
    Duration::from_millis(unsafe { GetTickCount64() })
}

pub(crate) fn monotonic_time() -> Duration {
    uptime()
}

/// Windows has no cheap way to identify a boot.
pub(crate) fn boot_id() -> String {
    String::new()
}

/// The time of day, since the beginning of 1601.
pub(super) fn time_of_day() -> Duration {
    let mut now = FILETIME::default();
    // SAFETY: `now` is valid for writes.
    unsafe { GetSystemTimeAsFileTime(&raw mut now) };
    since_1601(now)
}

/// Converts a time that the system counts in units of 100 nanoseconds.
pub(super) fn since_1601(time: FILETIME) -> Duration {
    let ticks = (u64::from(time.dwHighDateTime) << 32) | u64::from(time.dwLowDateTime);
    Duration::from_nanos((ticks % 10_000_000) * 100) + Duration::from_secs(ticks / 10_000_000)
}
