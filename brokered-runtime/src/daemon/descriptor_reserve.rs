//! [`DescriptorReserve`]: a few descriptors in reserve, so that a daemon whose clients hold all others can still be
//! asked, stopped and recorded, and refuses clients that it cannot serve.
//!
//! `accept`, a file that is written and a directory that is read each need a descriptor. When none is free, one of the
//! reserve is closed just before, and opened again as soon as one is free. While there is a shortage, the accepting
//! threads fill the reserve first and accept clients after that, so that they do not use it up.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lock_until::lock_until;
use crate::platform::{self, ReservedDescriptor};

/// How many descriptors are in reserve. A drain needs three at once, to find quiet connections.
const RESERVE: usize = 4;

/// How many descriptors are left to clients when the reserve is opened. With fewer, the reserve is smaller.
const LEFT_TO_CLIENTS: usize = 4;

/// What a reserve shrinks to at most.
const MIN_RESERVE: usize = 1;

/// How long clients wait in the backlog for a free descriptor. When none was free for this long, they are refused.
pub(super) const REFUSE_AFTER: Duration = Duration::from_secs(5);

/// The reserve, and the shortage of descriptors, if there is one.
#[derive(Debug, Default)]
pub(super) struct DescriptorReserve {
    state: Mutex<State>,
    /// Whether `state.shortage` is set, so that a daemon without a shortage does not lock the mutex.
    is_short: AtomicBool,
    shortages: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    reserved: Vec<ReservedDescriptor>,
    /// How many are wanted. None before the reserve is opened, and in the daemon of a unit test.
    wanted: usize,
    shortage: Option<Shortage>,
}

/// A time in which clients waited and no descriptor was free.
#[derive(Debug)]
struct Shortage {
    began: Instant,
    /// Whether clients are refused.
    refuses: bool,
    /// Whether a thread accepts with a descriptor of the reserve. One thread at a time does.
    is_accepting: bool,
}

/// What an accepting thread does when no descriptor is free.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WithoutDescriptor {
    /// Pause, then accept again.
    Pause,
    /// Accept at once, with a descriptor of the reserve, and pass the client to [`DescriptorReserve::admit`].
    Accept {
        /// Whether this is the first client of the shortage that is refused.
        is_first: bool,
    },
}

impl DescriptorReserve {
    /// Opens the reserve. Not before the daemon is bound.
    pub(super) fn open(&self) {
        let mut state = self.state();
        state.wanted = RESERVE;
        state.fill();
        let left = (0..LEFT_TO_CLIENTS).map_while(|_| ReservedDescriptor::open().ok());
        let left: Vec<ReservedDescriptor> = left.collect();
        let missing = LEFT_TO_CLIENTS - left.len();
        state.wanted = state.reserved.len().saturating_sub(missing);
        let wanted = state.wanted;
        state.reserved.truncate(wanted);
    }

    /// Opens the descriptors of the reserve that are missing, if there are free ones. Returns whether none is missing
    /// any more.
    pub(super) fn fill(&self) -> bool {
        self.state().fill()
    }

    /// Whether there is a shortage in which the reserve is not full. It is filled first, and clients come after that.
    #[cfg(feature = "tokio")]
    pub(super) fn comes_first(&self) -> bool {
        self.is_short.load(Ordering::Acquire) && !self.fill()
    }

    /// Calls a function that needs this many descriptors, for which the reserve makes room.
    pub(super) fn lend<T>(&self, number: usize, function: impl FnOnce() -> T) -> T {
        // Locked meanwhile: an accepting thread could take the descriptors otherwise.
        let mut state = self.state();
        let left = state.reserved.len().saturating_sub(number);
        state.reserved.truncate(left);
        let result = function();
        state.fill();
        result
    }

    /// Closes the reserve for good: this process is about to end. Waits for the mutex only until the deadline.
    pub(super) fn give_up(&self, deadline: Instant) {
        if let Some(mut state) = lock_until(&self.state, deadline) {
            state.wanted = 0;
            state.reserved.clear();
        }
    }

    /// Calls a function, and once more with descriptors of the reserve if it failed for lack of them.
    pub(super) fn retry<T, E>(
        &self,
        error: impl Fn(&E) -> &io::Error,
        mut function: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        match function() {
            Err(failed) if platform::is_out_of_descriptors(error(&failed)) => {
                self.lend(1, function)
            }
            result => result,
        }
    }

    /// A client waits, and `accept` has found no free descriptor.
    ///
    /// In a drain a full reserve is used at once: `accept` looks for a free descriptor before it tells that the backlog is
    /// empty, and the end must not wait for that. A client that is accepted so is served.
    pub(super) fn on_shortage(&self, is_draining: bool) -> WithoutDescriptor {
        let mut state = self.state();
        state.fill();
        let State {
            reserved,
            wanted,
            shortage,
        } = &mut *state;
        let shortage = shortage.get_or_insert_with(|| {
            self.shortages.fetch_add(1, Ordering::Relaxed);
            Shortage {
                began: Instant::now(),
                refuses: false,
                is_accepting: false,
            }
        });
        self.is_short.store(true, Ordering::Release);
        if shortage.is_accepting {
            return WithoutDescriptor::Pause;
        }
        let is_long = shortage.began.elapsed() >= REFUSE_AFTER;
        if is_long {
            // A daemon that has opened the others itself would never fill the reserve, and serve no client.
            *wanted = (*wanted).min(reserved.len().max(MIN_RESERVE));
        }
        let is_full = reserved.len() == *wanted;
        // The last one is left to the control endpoint.
        let may_refuse = is_long && reserved.len() >= 2;
        let may_probe = is_draining && is_full && !reserved.is_empty();
        if !(may_refuse || may_probe) {
            return WithoutDescriptor::Pause;
        }
        reserved.pop();
        shortage.is_accepting = true;
        let is_first = is_long && !std::mem::replace(&mut shortage.refuses, true);
        WithoutDescriptor::Accept { is_first }
    }

    /// A thread that was to accept with a descriptor of the reserve got no client.
    pub(super) fn give_back(&self) {
        let mut state = self.state();
        if let Some(shortage) = &mut state.shortage {
            shortage.is_accepting = false;
        }
        state.fill();
    }

    /// A client that was accepted with a descriptor of the reserve. It is refused, unless the shortage is over.
    pub(super) fn admit<S>(&self, stream: S) -> Option<S> {
        let mut state = self.state();
        // Another thread may have accepted a client meanwhile. Then this one did not wait for long.
        if state.fill() || !state.refuses() {
            self.end_shortage(&mut state);
            return Some(stream);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        drop(stream);
        state.fill();
        if let Some(shortage) = &mut state.shortage {
            shortage.is_accepting = false;
        }
        None
    }

    /// A client was accepted without the reserve.
    pub(super) fn on_accepted(&self) {
        if self.is_short.load(Ordering::Acquire) {
            self.end_shortage(&mut self.state());
        }
    }

    fn end_shortage(&self, state: &mut State) {
        // A thread that accepts with a descriptor of the reserve decides for itself.
        state.shortage = None;
        self.is_short.store(false, Ordering::Release);
    }

    /// How often clients waited for a free descriptor.
    pub(super) fn shortages(&self) -> u64 {
        self.shortages.load(Ordering::Relaxed)
    }

    /// How many clients were refused.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Opens the missing descriptors, and returns whether none is missing any more.
    fn fill(&mut self) -> bool {
        while self.reserved.len() < self.wanted {
            match ReservedDescriptor::open() {
                Ok(descriptor) => self.reserved.push(descriptor),
                Err(error) if platform::is_out_of_descriptors(&error) => return false,
                // For example for lack of memory. Clients must not wait for that.
                Err(_) => return true,
            }
        }
        true
    }

    fn refuses(&self) -> bool {
        self.shortage
            .as_ref()
            .is_some_and(|shortage| shortage.refuses)
    }
}
