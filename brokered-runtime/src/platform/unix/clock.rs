//! The boot time clock and the monotonic clock, which cannot be set.

use std::fs;
use std::mem::MaybeUninit;
use std::time::Duration;

pub(crate) fn uptime() -> Duration {
    read_clock(BOOT_TIME).unwrap_or_default()
}

pub(crate) fn monotonic_time() -> Duration {
    read_clock(libc::CLOCK_MONOTONIC).unwrap_or_default()
}

/// The time that a clock shows. `None` if the clock does not exist, or does not exist any more.
pub(super) fn read_clock(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` is valid for writes. It is read only after the call has filled it.
    let time = unsafe {
        if libc::clock_gettime(clock, time.as_mut_ptr()) != 0 {
            return None;
        }
        time.assume_init()
    };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT_TIME: libc::clockid_t = libc::CLOCK_BOOTTIME;
/// On macOS this clock runs while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT_TIME: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Linux alone has one.
pub(crate) fn boot_id() -> String {
    if cfg!(brokered_portable) {
        return String::new();
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim_end().to_owned()
}
