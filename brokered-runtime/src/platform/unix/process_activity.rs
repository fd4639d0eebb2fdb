//! What a child is doing, and which run of the machine this is.

use std::fs;
use std::io;
use std::mem::MaybeUninit;

use super::other_process::OtherProcess;
use crate::platform::ProcessActivity;

/// What tells one run of the machine from the next. Empty where nothing does.
pub(crate) fn boot_id() -> String {
    if cfg!(brokered_portable) {
        return String::new();
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim_end().to_owned()
}

/// What a process is doing. `None` where the system does not tell, or there is none.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn process_activity(pid: u32) -> Option<ProcessActivity> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut is_asleep = true;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        // The name is in parentheses and may hold anything.
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        is_asleep &= state == 'S';
    }
    let mut clock = MaybeUninit::<libc::clockid_t>::uninit();
    // SAFETY: `clock` is valid for writes, and read only if the call has filled it.
    let clock = unsafe {
        if libc::clock_getcpuclockid(pid, clock.as_mut_ptr()) != 0 {
            return None;
        }
        clock.assume_init()
    };
    Some(ProcessActivity {
        is_asleep,
        cpu_time: super::other_process::read_clock(clock)?,
    })
}

/// What a process is doing. Other systems do not tell at a glance.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) fn process_activity(_pid: u32) -> Option<ProcessActivity> {
    None
}

/// Kills a child of this process that is still alive, and nobody else, should its number be another one's
/// by then.
pub(crate) fn kill_child(pid: u32) -> io::Result<()> {
    let process = OtherProcess::open(pid)?;
    if !is_child(pid) {
        return Err(io::ErrorKind::NotFound.into());
    }
    process.kill()
}

/// Whether a process is a child of this one that nobody has waited for.
#[allow(
    clippy::useless_conversion,
    reason = "an identity is wider on some systems"
)]
fn is_child(pid: u32) -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: `info` is valid for writes; nothing is reaped, and nothing waited for.
    unsafe {
        libc::waitid(
            libc::P_PID,
            pid.into(),
            info.as_mut_ptr(),
            libc::WEXITED | libc::WNOWAIT | libc::WNOHANG,
        ) == 0
    }
}
