//! What a process is doing, and how many threads this process has.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs;
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
use std::mem::MaybeUninit;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
use super::clock::read_clock;
use crate::platform::types::ProcessActivity;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
))]
pub(crate) fn process_activity(pid: u32) -> Option<ProcessActivity> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut is_asleep = true;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        // The name before the state is in parentheses and may contain any character.
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        is_asleep &= state == 'S';
    }
    let mut clock = MaybeUninit::<libc::clockid_t>::uninit();
    // SAFETY: `clock` is valid for writes. It is read only after the call has filled it.
    let clock = unsafe {
        if libc::clock_getcpuclockid(pid, clock.as_mut_ptr()) != 0 {
            return None;
        }
        clock.assume_init()
    };
    Some(ProcessActivity {
        is_asleep,
        cpu_time: read_clock(clock)?,
    })
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(brokered_portable)
)))]
pub(crate) fn process_activity(_pid: u32) -> Option<ProcessActivity> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn thread_count() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    // The directory has one link for each thread, and two more.
    let links = fs::metadata("/proc/self/task").ok()?.nlink();
    u32::try_from(links.checked_sub(2)?).ok()
}

#[cfg(target_os = "macos")]
pub(crate) fn thread_count() -> Option<u32> {
    let mut task = std::mem::MaybeUninit::<libc::proc_taskinfo>::uninit();
    let size = libc::c_int::try_from(size_of::<libc::proc_taskinfo>()).ok()?;
    // SAFETY: `task` is valid for writes of `size` bytes. It is read only after all of them were written.
    unsafe {
        let written = libc::proc_pidinfo(
            libc::getpid(),
            libc::PROC_PIDTASKINFO,
            0,
            task.as_mut_ptr().cast(),
            size,
        );
        (written == size).then(|| task.assume_init().pti_threadnum)
    }
    .and_then(|threads| u32::try_from(threads).ok())
}

#[cfg(target_os = "freebsd")]
pub(crate) fn thread_count() -> Option<u32> {
    let mut process = std::mem::MaybeUninit::<libc::kinfo_proc>::uninit();
    let mut size = size_of::<libc::kinfo_proc>();
    // SAFETY: `getpid` takes no arguments. `name` has four numbers, as the second argument says. `process` is valid for
    // writes of `size` bytes, and is read only after all of them were written.
    unsafe {
        let name = [
            libc::CTL_KERN,
            libc::KERN_PROC,
            libc::KERN_PROC_PID,
            libc::getpid(),
        ];
        let result = libc::sysctl(
            name.as_ptr(),
            4,
            process.as_mut_ptr().cast(),
            &raw mut size,
            std::ptr::null(),
            0,
        );
        (result == 0 && size == size_of::<libc::kinfo_proc>())
            .then(|| process.assume_init().ki_numthreads)
    }
    .and_then(|threads| u32::try_from(threads).ok())
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd"
)))]
pub(crate) fn thread_count() -> Option<u32> {
    None
}
