//! How many threads this process has.

/// How many threads this process has.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn threads() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    // One link for each thread's directory, besides the directory's own two.
    let links = std::fs::metadata("/proc/self/task").ok()?.nlink();
    u32::try_from(links.checked_sub(2)?).ok()
}

/// How many threads this process has.
#[cfg(target_os = "macos")]
pub(crate) fn threads() -> Option<u32> {
    let mut task = std::mem::MaybeUninit::<libc::proc_taskinfo>::uninit();
    let size = libc::c_int::try_from(size_of::<libc::proc_taskinfo>()).ok()?;
    // SAFETY: `task` is valid for writes of `size` bytes, and read only if all of them were written.
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

/// How many threads this process has.
#[cfg(target_os = "freebsd")]
pub(crate) fn threads() -> Option<u32> {
    let mut process = std::mem::MaybeUninit::<libc::kinfo_proc>::uninit();
    let mut size = size_of::<libc::kinfo_proc>();
    // SAFETY: `getpid` takes nothing. `name` is four numbers, as is said; `process` is valid for writes of `size`
    // bytes, and read only if all of them were written.
    unsafe {
        let name = [
            libc::CTL_KERN,
            libc::KERN_PROC,
            libc::KERN_PROC_PID,
            libc::getpid(),
        ];
        let asked = libc::sysctl(
            name.as_ptr(),
            4,
            process.as_mut_ptr().cast(),
            &raw mut size,
            std::ptr::null(),
            0,
        );
        (asked == 0 && size == size_of::<libc::kinfo_proc>())
            .then(|| process.assume_init().ki_numthreads)
    }
    .and_then(|threads| u32::try_from(threads).ok())
}

/// Other systems do not say it at a glance.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd"
)))]
pub(crate) fn threads() -> Option<u32> {
    None
}
