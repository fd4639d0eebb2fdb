//! [`Readiness`]: the phase, and what the daemon waits for before it is ready.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::Phase;

/// The phase, and the number of readiness blockers.
///
/// A blocker is a load in the background, a [`ReadinessGuard`](super::ReadinessGuard), or a `main` that does not accept
/// clients yet.
#[derive(Debug)]
pub(super) struct Readiness {
    phase: AtomicU8,
    blockers: AtomicUsize,
}

impl Readiness {
    /// The phase is `bound`, and `main` is the only blocker.
    pub(super) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Bound as u8),
            blockers: AtomicUsize::new(1),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        let phase = self.phase.load(Ordering::Acquire);
        Phase::ALL[usize::from(phase)]
    }

    /// Advances to a phase, and returns whether that changed anything. The phase never goes back.
    pub(super) fn advance(&self, phase: Phase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8
    }

    pub(super) fn add_blocker(&self) {
        self.blockers.fetch_add(1, Ordering::AcqRel);
    }

    /// Removes a blocker, and returns whether it was the last one.
    pub(super) fn remove_blocker(&self) -> bool {
        self.blockers.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_never_goes_back() {
        let readiness = Readiness::new();
        assert!(readiness.advance(Phase::Draining));
        assert!(!readiness.advance(Phase::Draining));
        assert!(!readiness.advance(Phase::Ready));
        assert_eq!(readiness.phase(), Phase::Draining);
    }

    #[test]
    fn only_the_last_blocker_makes_the_daemon_ready() {
        let readiness = Readiness::new();
        readiness.add_blocker();
        assert!(!readiness.remove_blocker());
        assert!(readiness.remove_blocker());
    }
}
