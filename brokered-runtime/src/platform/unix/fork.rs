//! Descriptors that a forked child must not keep.
//!
//! A child that is forked and does not become another program has all of its parent's descriptors, the
//! instance lock among them, and nobody would see the parent's death while such a child lives. Close-on-exec
//! does not help: there is no exec.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use interprocess::local_socket::Listener as IpcListener;

use super::socket::as_unix;

/// A process has a lock, a channel and a few listeners. What finds no room is kept by forked children.
const MOST: usize = 64;

static SLOTS: [Slot; MOST] = [const { Slot::empty() }; MOST];

/// The number of no descriptor.
const EMPTY: RawFd = -1;
/// Somebody is about to fill the slot.
const RESERVED: RawFd = -2;

struct Slot {
    descriptor: AtomicI32,
    /// What the descriptor is open on, where its owner may close it first. 0 if not.
    inode: AtomicU64,
}

impl Slot {
    const fn empty() -> Self {
        Self {
            descriptor: AtomicI32::new(EMPTY),
            inode: AtomicU64::new(0),
        }
    }
}

/// Keeps a descriptor from forked children, as long as this lives.
#[derive(Debug)]
pub(crate) struct ForkGuard(Option<usize>);

impl ForkGuard {
    /// Seals a descriptor that is closed only after this is dropped. No system call is made.
    pub(crate) fn new(descriptor: &impl AsFd) -> Self {
        Self::of(descriptor.as_fd().as_raw_fd(), 0)
    }

    /// Seals a descriptor that may be closed before this is dropped: its number may be another one's then.
    fn lasting(descriptor: &impl AsFd) -> Self {
        let descriptor = descriptor.as_fd().as_raw_fd();
        match inode(descriptor) {
            None | Some(0) => Self(None),
            Some(inode) => Self::of(descriptor, inode),
        }
    }

    /// Seals a listener, wherever it goes.
    pub(crate) fn of_listener(listener: &IpcListener) -> Self {
        Self::lasting(as_unix(listener))
    }

    fn of(descriptor: RawFd, inode: u64) -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the handler does only what a forked child of a process with threads may do. Where
            // there is no memory to register it, children keep what they get.
            unsafe { libc::pthread_atfork(None, None, Some(replace_in_child)) };
        });
        let free = SLOTS.iter().position(|slot| {
            let taken = (EMPTY, RESERVED);
            slot.descriptor
                .compare_exchange(taken.0, taken.1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        });
        if let Some(slot) = free.map(|free| &SLOTS[free]) {
            slot.inode.store(inode, Ordering::Relaxed);
            slot.descriptor.store(descriptor, Ordering::Release);
        }
        Self(free)
    }
}

impl Drop for ForkGuard {
    fn drop(&mut self) {
        if let Some(taken) = self.0 {
            SLOTS[taken].descriptor.store(EMPTY, Ordering::Release);
        }
    }
}

/// Puts `/dev/null` in the place of what a child is not to have, so that the numbers stay taken: the child
/// has the objects, too, that will close them.
extern "C" fn replace_in_child() {
    for slot in &SLOTS {
        let descriptor = slot.descriptor.load(Ordering::Acquire);
        if descriptor >= 0 && is_on(descriptor, slot.inode.load(Ordering::Relaxed)) {
            replace(descriptor);
        }
    }
}

fn is_on(descriptor: RawFd, expected: u64) -> bool {
    expected == 0 || inode(descriptor) == Some(expected)
}

/// What a descriptor is open on. May be called in a forked child.
fn inode(descriptor: RawFd) -> Option<u64> {
    let mut metadata = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `metadata` is valid for writes, and read only if the call has filled it.
    let metadata = unsafe {
        if libc::fstat(descriptor, metadata.as_mut_ptr()) != 0 {
            return None;
        }
        metadata.assume_init()
    };
    #[allow(clippy::unnecessary_cast, reason = "not as wide on every system")]
    Some(metadata.st_ino as u64)
}

fn replace(descriptor: RawFd) {
    // SAFETY: all of these may be called in a forked child. The descriptor is this crate's own, and whoever
    // holds it in this child only ever closes it.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null < 0 {
            libc::close(descriptor);
            return;
        }
        libc::dup2(null, descriptor);
        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::close(null);
    }
}
