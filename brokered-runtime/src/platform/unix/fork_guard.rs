//! The fork guard: keeps descriptors from children that are forked without `exec`.
//!
//! Such a child has all descriptors of its parent, the instance lock among them. While it lives, the parent's death
//! would stay hidden, because the lock is still held. Close-on-exec does not help, because there is no `exec`.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use interprocess::local_socket::Listener as IpcListener;

use super::descriptors::inode;
use super::listener::as_unix;

/// A process has a lock, a channel and a few listeners. Forked children keep the descriptors that find no slot.
const SLOT_COUNT: usize = 64;

static SLOTS: [Slot; SLOT_COUNT] = [const { Slot::empty() }; SLOT_COUNT];

/// The value of a slot without a descriptor.
const EMPTY: RawFd = -1;
/// The value of a slot that a thread is about to fill.
const RESERVED: RawFd = -2;

struct Slot {
    descriptor: AtomicI32,
    /// The inode that the descriptor is open on, if its owner may close it before the guard is dropped. Otherwise 0.
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

/// Keeps a descriptor from forked children until it is dropped.
#[derive(Debug)]
pub(crate) struct ForkGuard(Option<usize>);

impl ForkGuard {
    /// Guards a descriptor that stays open until the guard is dropped. Makes no system call.
    pub(crate) fn new(descriptor: &impl AsFd) -> Self {
        Self::in_slot(descriptor.as_fd().as_raw_fd(), 0)
    }

    /// Guards a listener that may be closed before the guard is dropped. The inode tells whether its number belongs to
    /// another file by then.
    pub(crate) fn of_listener(listener: &IpcListener) -> Self {
        let descriptor = as_unix(listener).as_raw_fd();
        match inode(descriptor) {
            None | Some(0) => Self(None),
            Some(inode) => Self::in_slot(descriptor, inode),
        }
    }

    fn in_slot(descriptor: RawFd, inode: u64) -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the handler calls only functions that are async-signal-safe, as a forked child of a process
            // with threads must. If there is no memory to register it, children keep the descriptors.
            unsafe { libc::pthread_atfork(None, None, Some(replace_in_child)) };
        });
        let free = SLOTS.iter().position(|slot| {
            slot.descriptor
                .compare_exchange(EMPTY, RESERVED, Ordering::AcqRel, Ordering::Relaxed)
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
        if let Some(index) = self.0 {
            SLOTS[index].descriptor.store(EMPTY, Ordering::Release);
        }
    }
}

/// Replaces each guarded descriptor with `/dev/null`. The number must stay taken, because the child also has the
/// objects that will close it.
extern "C" fn replace_in_child() {
    for slot in &SLOTS {
        let descriptor = slot.descriptor.load(Ordering::Acquire);
        if descriptor >= 0 && is_open_on(descriptor, slot.inode.load(Ordering::Relaxed)) {
            replace(descriptor);
        }
    }
}

fn is_open_on(descriptor: RawFd, expected: u64) -> bool {
    expected == 0 || inode(descriptor) == Some(expected)
}

fn replace(descriptor: RawFd) {
    // SAFETY: all of these functions are async-signal-safe. The descriptor belongs to this crate, and its owner in
    // this child only ever closes it.
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
