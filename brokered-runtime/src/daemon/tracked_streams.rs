//! [`TrackedStreams`]: the streams of tokio, and what their readers do. The supervisor thread looks at them in a drain.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::platform::StreamProbe;

/// A stream is settled if no bytes were read for this time, and none wait to be read.
const QUIET_TIME: Duration = Duration::from_millis(200);

/// The reader waits for bytes: it was never asked for any, or its last read had none.
const WAITS: u32 = 1;

/// A read is in progress.
const IS_READING: u32 = 2;

/// One read, in the bits above the flags. Their number tells two samples whether bytes were read in between.
const READ: u32 = 4;

/// The open streams.
#[derive(Debug, Default)]
pub(super) struct TrackedStreams(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    slots: Vec<Option<Tracked>>,
    /// The empty places in `slots`.
    free: Vec<usize>,
    /// When the first sample was taken.
    first_sample: Option<Instant>,
}

/// A stream as the samples see it.
#[derive(Debug)]
struct Tracked {
    probe: StreamProbe,
    state: Arc<AtomicU32>,
    /// The number of reads in the last sample, and since when it is the same.
    unchanged: Option<(u32, Instant)>,
    had_its_chance: bool,
}

/// What a sample found.
#[derive(Debug)]
pub(super) struct Sample {
    /// How long samples have been taken.
    pub(super) duration: Duration,
    /// Whether each stream is settled now.
    pub(super) all_settled: bool,
    /// Whether each stream has been read, or was quiet, with no bytes left for its reader, in one of the samples.
    pub(super) all_had_their_chance: bool,
}

impl TrackedStreams {
    /// Tracks a stream. Call [`remove`](Self::remove) before it is closed.
    pub(super) fn add(&self, probe: StreamProbe) -> StreamState {
        let shared = Arc::new(AtomicU32::new(WAITS));
        let tracked = Some(Tracked {
            probe,
            state: Arc::clone(&shared),
            unchanged: None,
            had_its_chance: false,
        });
        let mut streams = self.streams();
        let slot = if let Some(slot) = streams.free.pop() {
            streams.slots[slot] = tracked;
            slot
        } else {
            streams.slots.push(tracked);
            streams.slots.len() - 1
        };
        StreamState {
            shared,
            value: WAITS,
            slot,
        }
    }

    pub(super) fn remove(&self, state: &StreamState) {
        let mut streams = self.streams();
        streams.slots[state.slot] = None;
        streams.free.push(state.slot);
    }

    pub(super) fn take_sample(&self, now: Instant) -> Sample {
        let streams = &mut *self.streams();
        let mut sample = Sample {
            duration: now.duration_since(*streams.first_sample.get_or_insert(now)),
            all_settled: true,
            all_had_their_chance: true,
        };
        for stream in streams.slots.iter_mut().flatten() {
            sample.all_settled &= stream.is_settled(now);
            sample.all_had_their_chance &= stream.had_its_chance;
        }
        sample
    }

    /// Ends the streams whose clients have sent nothing: their readers read the end of the stream. Some servers would
    /// wait for a first byte until the drain is cut short.
    pub(super) fn end_silent(&self, now: Instant) {
        for stream in self.streams().slots.iter_mut().flatten() {
            if stream.is_settled(now) && stream.state.load(Ordering::Relaxed) < READ {
                stream.probe.shut_down_reading();
            }
        }
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracked {
    fn is_settled(&mut self, now: Instant) -> bool {
        // In this order: a read that takes the bytes before the probe has changed the state before that.
        let has_unread = self.probe.has_unread();
        let state = self.state.load(Ordering::Acquire);
        let reads = state / READ;
        // If the reader does not wait, it does not want the bytes yet: its server is busy with earlier ones.
        let takes_bytes = state & IS_READING != 0 || has_unread && state & WAITS != 0;
        let since = match self.unchanged {
            Some((before, since)) if before == reads && !takes_bytes => since,
            _ => now,
        };
        self.unchanged = Some((reads, since));
        if takes_bytes {
            return false;
        }
        let is_quiet = now.duration_since(since) >= QUIET_TIME;
        self.had_its_chance |= reads > 0 || is_quiet;
        is_quiet
    }
}

/// What the reader of a stream does. Only its task changes this, with plain stores, because it does so at each read.
#[derive(Debug)]
pub(super) struct StreamState {
    shared: Arc<AtomicU32>,
    value: u32,
    slot: usize,
}

impl StreamState {
    /// A read begins.
    pub(super) fn begin_read(&self) {
        self.shared
            .store(self.value | IS_READING, Ordering::Relaxed);
    }

    /// A read ends, and has found bytes, or the end of the stream.
    pub(super) fn end_read(&mut self) {
        self.set((self.value & !WAITS).wrapping_add(READ));
    }

    /// A read ends, and must wait for bytes.
    pub(super) fn wait(&mut self) {
        self.set(self.value | WAITS);
    }

    fn set(&mut self, value: u32) {
        self.value = value;
        self.shared.store(value, Ordering::Relaxed);
    }
}
