//! How old this process is, and how many threads it has, where the system says.

use std::time::Duration;

/// A point in time, as the time since the system started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "only Linux tells it")
)]
pub(crate) struct Uptime(Duration);

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    use super::Uptime;

    /// Now, by the clock that starts of processes are told by. No system call where the vDSO has it.
    pub(crate) fn uptime() -> Option<Uptime> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is valid for writes.
        if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } != 0 {
            return None;
        }
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        Some(Uptime(Duration::new(seconds, nanoseconds)))
    }

    /// How old this process was then. The system rounds its start down to a clock tick, which is ten milliseconds
    /// nearly everywhere, so it was at most that much younger.
    pub(crate) fn age_at(then: Uptime) -> Option<Duration> {
        // SAFETY: `sysconf` takes an integer and touches no memory of ours.
        let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
        let ticks = start_in_ticks(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let nanoseconds = ticks.checked_mul(1_000_000_000 / per_second.max(1))?;
        then.0.checked_sub(Duration::from_nanos(nanoseconds))
    }

    /// Field 22. The second is the program's name in brackets, which may contain anything, brackets too.
    fn start_in_ticks(stat: &str) -> Option<u64> {
        let (_, behind_the_name) = stat.rsplit_once(')')?;
        behind_the_name.split_whitespace().nth(19)?.parse().ok()
    }

    /// How many threads this process has.
    pub(crate) fn threads() -> Option<u64> {
        // One link for each thread's directory, besides the directory's own two.
        let links = fs::metadata("/proc/self/task").ok()?.nlink();
        links.checked_sub(2)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_programs_name_is_not_taken_for_a_field() {
            let fields: Vec<String> = (4..=52).map(|field: u32| field.to_string()).collect();
            let stat = format!("4711 (a) S 1 (b) S {}", fields.join(" "));
            assert_eq!(start_in_ticks(&stat), Some(22));
            assert_eq!(start_in_ticks("4711 (cut"), None);
        }

        #[test]
        fn a_process_gets_older_by_the_clock() {
            let then = uptime().expect("Linux has the clock");
            let later = Uptime(then.0 + Duration::from_secs(3));
            let age = age_at(then).expect("it started before");
            assert_eq!(age_at(later), Some(age + Duration::from_secs(3)));
            assert!(age < then.0, "{age:?}");
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{age_at, threads, uptime};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use std::time::Duration;

    use super::Uptime;

    pub(crate) fn uptime() -> Option<Uptime> {
        None
    }

    pub(crate) fn age_at(_then: Uptime) -> Option<Duration> {
        None
    }

    pub(crate) fn threads() -> Option<u64> {
        None
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use elsewhere::{age_at, threads, uptime};
