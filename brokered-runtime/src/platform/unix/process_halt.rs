//! What keeps another process from running.

use crate::platform::types::Halt;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn process_halt(pid: u32) -> Option<Halt> {
    use std::fs;

    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before the state is in parentheses and may contain any character.
    match stat.rsplit_once(") ")?.1.chars().next()? {
        'T' => Some(Halt::Stopped),
        't' => Some(Halt::Traced),
        _ => {
            let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
            groups.lines().any(is_frozen).then_some(Halt::Frozen)
        }
    }
}

/// Whether a control group is frozen. Version 2 has one hierarchy for all controllers, and version 1 one for freezing.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
fn is_frozen(line: &str) -> bool {
    use std::fs;

    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
        return false;
    };
    let contains = |file: String, text: &str| {
        fs::read_to_string(file).is_ok_and(|state| state.lines().any(|line| line == text))
    };
    match controllers {
        "" => ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .iter()
            .any(|root| contains(format!("{root}{group}/cgroup.events"), "frozen 1")),
        "freezer" => contains(
            format!("/sys/fs/cgroup/freezer{group}/freezer.state"),
            "FROZEN",
        ),
        _ => false,
    }
}

/// Other systems have no cheap way to ask.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) fn process_halt(_pid: u32) -> Option<Halt> {
    None
}
