//! When a process started, and how old this one is.

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) use linux::process_age_at;
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(super) use linux::started_at;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
mod linux {
    use std::fs;
    use std::time::Duration;

    /// The system rounds the start time down to a clock tick, which is ten milliseconds nearly everywhere. So the
    /// result may be too large by that much.
    pub(crate) fn process_age_at(then: Duration) -> Option<Duration> {
        then.checked_sub(started_at(std::process::id())?)
    }

    /// When a process started, on the boot time clock.
    pub(in super::super) fn started_at(pid: u32) -> Option<Duration> {
        let ticks = start_in_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        // SAFETY: `sysconf` takes an integer and accesses no memory of this process.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let per_second = u64::try_from(per_second).ok().filter(|ticks| *ticks > 0)?;
        let (whole, rest) = (ticks / per_second, ticks % per_second);
        Some(Duration::from_secs(whole) + Duration::from_nanos(rest * 1_000_000_000 / per_second))
    }

    /// Field 22. Field 2 is the program's name in parentheses, and may itself contain parentheses and spaces.
    fn start_in_ticks(stat: &str) -> Option<u64> {
        let (_, after_the_name) = stat.rsplit_once(')')?;
        after_the_name.split_whitespace().nth(19)?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::platform::unix::clock::uptime;

        #[test]
        fn the_name_of_a_program_is_not_parsed_as_fields() {
            let fields: Vec<String> = (4..=52).map(|field: u32| field.to_string()).collect();
            let stat = format!("4711 (a) S 1 (b) S {}", fields.join(" "));
            assert_eq!(start_in_ticks(&stat), Some(22));
            assert_eq!(start_in_ticks("4711 (cut"), None);
        }

        #[test]
        fn the_age_of_a_process_grows_with_the_clock() {
            let then = uptime();
            let age = process_age_at(then).expect("it started before");
            let passed = Duration::from_secs(3);
            assert_eq!(process_age_at(then + passed), Some(age + passed));
            assert!(age < then, "{age:?}");
        }
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) use elsewhere::process_age_at;

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
mod elsewhere {
    use std::time::Duration;

    pub(crate) fn process_age_at(_then: Duration) -> Option<Duration> {
        None
    }
}
