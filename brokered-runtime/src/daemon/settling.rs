//! [`Settling`]: whether the clients of a drain have had their chance to send a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::drained::Drained;
use super::latch::Latch;
#[cfg(feature = "tokio")]
use super::tracked_streams::TrackedStreams;

/// How often the drain looks at the streams while a thread or a task waits for [`Drained`].
pub(super) const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// How long clients that send without a pause delay [`Drained`].
#[cfg(feature = "tokio")]
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the clients of a drain have had their chance to send a request.
#[derive(Debug, Default)]
pub(super) struct Settling {
    drained: Arc<Latch>,
    accept_has_ended: AtomicBool,
    /// The streams whose readers the daemon can observe.
    #[cfg(feature = "tokio")]
    streams: TrackedStreams,
}

impl Settling {
    pub(super) fn drained(&self) -> Drained {
        Drained::new(&self.drained)
    }

    #[cfg(feature = "tokio")]
    pub(super) fn streams(&self) -> &TrackedStreams {
        &self.streams
    }

    /// No client is accepted any more.
    pub(super) fn set_accept_ended(&self) {
        self.accept_has_ended.store(true, Ordering::Release);
    }

    /// Takes a sample, and sets [`Drained`] if all clients are settled or the limit has passed. Returns whether to call
    /// this again after [`SAMPLE_INTERVAL`]. New clients are already refused.
    pub(super) fn take_sample(&self, now: Instant, limit: Instant) -> bool {
        // The latch itself is one of the references. Without another one, nothing waits.
        let is_awaited = Arc::strong_count(&self.drained) > 1;
        if self.drained.is_set() || !is_awaited {
            return false;
        }
        if now < limit && !self.is_settled(now) {
            return true;
        }
        self.drained.set();
        self.drained.wake();
        #[cfg(feature = "tokio")]
        self.streams.end_silent(now);
        false
    }

    #[cfg(feature = "tokio")]
    fn is_settled(&self, now: Instant) -> bool {
        // Read before the streams are sampled: the stream of the last client is tracked by then.
        let accept_has_ended = self.accept_has_ended.load(Ordering::Acquire);
        let sample = self.streams.take_sample(now);
        let is_busy_for_long = sample.duration >= BUSY_TIMEOUT;
        accept_has_ended && (sample.all_settled || is_busy_for_long && sample.all_had_their_chance)
    }

    #[cfg(not(feature = "tokio"))]
    fn is_settled(&self, _now: Instant) -> bool {
        self.accept_has_ended.load(Ordering::Acquire)
    }
}
