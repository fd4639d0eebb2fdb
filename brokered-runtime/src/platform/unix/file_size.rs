//! `SIGXFSZ`: a write beyond the limit of the size of files raises it, and it ends the process unless that is prevented.

use std::mem::MaybeUninit;
use std::ptr;

/// Keeps `SIGXFSZ` from this thread until it is dropped, so that a write beyond the limit is only an error.
///
/// On Linux the signal goes to the thread that writes. Elsewhere another thread of the process may receive it.
pub(super) struct FileSizeSignalBlock {
    mask_before: libc::sigset_t,
}

impl FileSizeSignalBlock {
    /// `None` without a limit, which costs one system call, or if the thread has the signal blocked already.
    pub(super) fn if_limited() -> Option<Self> {
        if !is_limited() {
            return None;
        }
        let mut mask_before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is initialised before it is read, and `mask_before` is valid for writes. It is read only after
        // the call has filled it.
        let (mask_before, was_blocked) = unsafe {
            if libc::pthread_sigmask(
                libc::SIG_BLOCK,
                &file_size_signal(),
                mask_before.as_mut_ptr(),
            ) != 0
            {
                return None;
            }
            let mask_before = mask_before.assume_init();
            let was_blocked = libc::sigismember(&raw const mask_before, libc::SIGXFSZ) == 1;
            (mask_before, was_blocked)
        };
        (!was_blocked).then_some(Self { mask_before })
    }
}

impl Drop for FileSizeSignalBlock {
    fn drop(&mut self) {
        discard_pending();
        // SAFETY: the mask is the one that the system has reported.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.mask_before,
                ptr::null_mut(),
            )
        };
    }
}

fn is_limited() -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    result == 0 && limit.rlim_cur != libc::RLIM_INFINITY
}

fn file_size_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before anything reads it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGXFSZ);
        set.assume_init()
    }
}

/// Takes the signal, if it is pending for this thread, without a wait.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn discard_pending() {
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the set and the time are valid for reads, and a null pointer for the information is permitted.
    unsafe { libc::sigtimedwait(&file_size_signal(), ptr::null_mut(), &raw const now) };
}

/// Not every system can take a signal without a wait. To ignore a signal discards it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn discard_pending() {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    let mut ignored = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all bytes of a `sigaction` may be zero. `before` is valid for writes, and is used only after the first
    // call has filled it.
    unsafe {
        ignored.assume_init_mut().sa_sigaction = libc::SIG_IGN;
        if libc::sigaction(libc::SIGXFSZ, ignored.as_ptr(), before.as_mut_ptr()) == 0 {
            libc::sigaction(libc::SIGXFSZ, before.as_ptr(), ptr::null_mut());
        }
    }
}

/// From now on, a write of any thread beyond the limit is an error. Leaves a handler of the program as it is.
///
/// A handler that does nothing is used, because a program that this process starts would inherit an ignored signal.
pub(crate) fn survive_file_size_limit() {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all bytes of a `sigaction` may be zero. `before` is valid for writes, and is read only after the first
    // call has filled it. `do_nothing` has the signature that a handler without `SA_SIGINFO` must have.
    unsafe {
        let is_default = libc::sigaction(libc::SIGXFSZ, ptr::null(), before.as_mut_ptr()) == 0
            && before.assume_init().sa_sigaction == libc::SIG_DFL;
        if is_default {
            let action = action.assume_init_mut();
            action.sa_sigaction = do_nothing as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGXFSZ, action, ptr::null_mut());
        }
    }
}

extern "C" fn do_nothing(_signal: libc::c_int) {}
