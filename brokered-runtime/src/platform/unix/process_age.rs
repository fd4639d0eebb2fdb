//! How old a process is, where the system says.

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) use linux::age_at;
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(super) use linux::began;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
mod linux {
    use std::fs;
    use std::time::Duration;

    /// How old this process was at a time since the machine's start. The system rounds the process's own start down
    /// to a clock tick, which is ten milliseconds nearly everywhere, so it was at most that much younger.
    pub(crate) fn age_at(then: Duration) -> Option<Duration> {
        then.checked_sub(began(std::process::id())?)
    }

    /// How long after the machine a process was started.
    pub(in super::super) fn began(pid: u32) -> Option<Duration> {
        let ticks = start_in_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        // SAFETY: `sysconf` takes an integer and touches no memory of ours.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let per_second = u64::try_from(per_second).ok().filter(|ticks| *ticks > 0)?;
        let (whole, rest) = (ticks / per_second, ticks % per_second);
        Some(Duration::from_secs(whole) + Duration::from_nanos(rest * 1_000_000_000 / per_second))
    }

    /// Field 22. The second is the program's name in brackets, which may contain anything, brackets too.
    fn start_in_ticks(stat: &str) -> Option<u64> {
        let (_, behind_the_name) = stat.rsplit_once(')')?;
        behind_the_name.split_whitespace().nth(19)?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::platform::uptime;

        #[test]
        fn a_programs_name_is_not_taken_for_a_field() {
            let fields: Vec<String> = (4..=52).map(|field: u32| field.to_string()).collect();
            let stat = format!("4711 (a) S 1 (b) S {}", fields.join(" "));
            assert_eq!(start_in_ticks(&stat), Some(22));
            assert_eq!(start_in_ticks("4711 (cut"), None);
        }

        #[test]
        fn a_process_gets_older_by_the_clock() {
            let then = uptime();
            let age = age_at(then).expect("it started before");
            let passed = Duration::from_secs(3);
            assert_eq!(age_at(then + passed), Some(age + passed));
            assert!(age < then, "{age:?}");
        }
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) use elsewhere::age_at;

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
mod elsewhere {
    use std::time::Duration;

    pub(crate) fn age_at(_then: Duration) -> Option<Duration> {
        None
    }
}
