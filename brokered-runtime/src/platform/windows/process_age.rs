//! When a process started, and how old this one is.

use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::time::Duration;

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessTimes};

use super::clock::{since_1601, time_of_day, uptime};
use super::ffi::check;

pub(crate) fn process_age_at(then: Duration) -> Option<Duration> {
    // SAFETY: this takes no arguments, and the pseudo handle that it returns needs no closing.
    let this_process = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
    let age = time_of_day().checked_sub(started_at(this_process)?)?;
    (age + then).checked_sub(uptime())
}

/// When a process started, by the time of day.
pub(super) fn started_at(process: BorrowedHandle<'_>) -> Option<Duration> {
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: the handle is open while it is borrowed, and the four times are valid for writes.
    check(unsafe { GetProcessTimes(process.as_raw_handle(), created, exited, kernel, user) })
        .ok()?;
    Some(since_1601(times[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_process_grows_with_the_clock() {
        let then = uptime();
        let passed = Duration::from_secs(3);
        let (now, later) = (process_age_at(then), process_age_at(then + passed));
        let grown = later.zip(now).map(|(later, now)| later.saturating_sub(now));
        assert!(
            grown.is_some_and(|grown| grown.abs_diff(passed) < Duration::from_secs(1)),
            "{now:?} {later:?}"
        );
    }
}
