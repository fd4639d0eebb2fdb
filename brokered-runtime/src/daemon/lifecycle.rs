//! What the parts of a running daemon share: its phase, its record, its connections, and its end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::error::StartError;
use super::hold::Held;
use super::stopping::{StopState, Stopping};
use crate::handover::Event;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, AcceptWaker, Channel, Uptime, Wake};
use crate::record::Record;
use crate::text::say;
use crate::{Instance, IpcListener, Phase, endpoint};

/// What the parts of a running daemon share.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    instance: Instance,
    paths: Paths,
    phase: AtomicU8,
    stop_asked: AtomicBool,
    stop: Arc<StopState>,
    connections: Connections,
    accept: AcceptWaker,
    keeper: OnceLock<Wake>,
    channel: Mutex<Option<Channel>>,
    /// `None` once the daemon has let go of everything.
    estate: Mutex<Option<Estate>>,
    /// When `main` was entered.
    entry: Option<Uptime>,
    /// Of a test's daemon, which has no keeper: whoever asks for something does it.
    #[cfg(feature = "testing")]
    is_a_tests: bool,
}

/// What a daemon leaves when it ends.
#[derive(Debug)]
struct Estate {
    record: Record,
    endpoint_is_there: bool,
    lock: InstanceLock,
    /// What goes with the last of it: a test's own directory, after the lock on it.
    #[cfg(feature = "testing")]
    _scratch: Option<Arc<crate::testing::Scratch>>,
}

/// How many connections somebody serves.
#[derive(Debug, Default)]
struct Connections {
    open: AtomicUsize,
    none: Condvar,
    waiting: Mutex<Waiting>,
}

/// How far the wait for them is.
#[derive(Debug, Default)]
struct Waiting {
    main_has_returned: bool,
    cut_short: bool,
}

impl Lifecycle {
    pub(crate) fn new(held: Held, listener: &IpcListener) -> Result<Self, StartError> {
        let accept = match AcceptWaker::new(listener, &held.paths.socket) {
            Ok(accept) => accept,
            Err(source) => {
                endpoint::unlink(&held.paths, &held.lock);
                return Err(StartError::Signals { source });
            }
        };
        Ok(Self {
            instance: held.instance,
            paths: held.paths,
            phase: AtomicU8::new(Phase::Bound as u8),
            stop_asked: AtomicBool::new(false),
            stop: Arc::default(),
            connections: Connections::default(),
            accept,
            keeper: OnceLock::new(),
            channel: Mutex::new(held.channel),
            estate: Mutex::new(Some(Estate {
                record: held.record,
                endpoint_is_there: true,
                lock: held.lock,
                #[cfg(feature = "testing")]
                _scratch: held.scratch.clone(),
            })),
            entry: held.entry,
            #[cfg(feature = "testing")]
            is_a_tests: held.scratch.is_some(),
        })
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(crate) fn name(&self) -> &'static str {
        self.instance.daemon().name()
    }

    pub(crate) fn phase(&self) -> Phase {
        let phase = self.phase.load(Ordering::Acquire);
        Phase::ALL[usize::from(phase)]
    }

    /// Goes on to a later phase; an earlier one is news of yesterday. The record follows, written by
    /// the keeper.
    pub(crate) fn enter(&self, phase: Phase) {
        if self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8 {
            self.wake_keeper();
        }
    }

    /// All states have loaded.
    pub(crate) fn ready(&self) {
        self.tell(&Event::Ready);
        // The launcher has nothing more to wait for.
        self.channel().take();
        self.enter(Phase::Ready);
    }

    /// Tells the launcher, if there is one that still listens.
    pub(crate) fn tell(&self, event: &Event) {
        let mut channel = self.channel();
        if channel
            .as_ref()
            .is_some_and(|channel| channel.tell(&event.to_line()).is_err())
        {
            *channel = None;
        }
    }

    /// Whoever waits for signals can be woken with this from now on.
    pub(crate) fn set_keeper(&self, wake: Wake) {
        let _ = self.keeper.set(wake);
    }

    /// Asks the daemon to end. The keeper does the rest.
    pub(crate) fn ask_to_stop(&self) {
        let asked_before = self.stop_asked.swap(true, Ordering::AcqRel);
        if self.is_kept() {
            self.wake_keeper();
        } else if !asked_before {
            self.begin_drain();
        }
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop_asked.load(Ordering::Acquire)
    }

    pub(crate) fn stopping(&self) -> Stopping {
        Stopping::of(&self.stop)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Step 4: writes the record, and tells the launcher. From now on the daemon can be found.
    pub(crate) fn record(&self) -> Result<(), StartError> {
        if let Some(estate) = self.estate().as_mut() {
            // It may have been asked to end by now.
            estate.record.phase = self.phase();
            estate.record.write(&self.paths)?;
        }
        self.tell(&Event::Bound);
        Ok(())
    }

    /// The drain begins: nobody new is let in, and whoever waits for the end hears of it.
    pub(crate) fn begin_drain(&self) {
        self.tell(&Event::Stopping);
        self.stop.set();
        if let Err(error) = self.accept.wake() {
            say(
                self.name(),
                format_args!("cannot shut the listener down: {error}"),
            );
        }
        if !AcceptWaker::REFUSES_NEW_CLIENTS {
            self.unlink_endpoint();
        }
        self.stop.wake();
        self.enter(Phase::Draining);
        self.publish();
    }

    /// Brings the record up to the present phase. One that is not written is tried again with the next.
    pub(crate) fn publish(&self) {
        let phase = self.phase();
        if let Some(estate) = self.estate().as_mut()
            && estate.record.phase != phase
            && estate.lock.is_on(&self.paths)
        {
            let mut record = estate.record.clone();
            record.phase = phase;
            if record.premain.is_none() {
                record.premain = self.entry.and_then(platform::age_at);
            }
            match record.write(&self.paths) {
                Ok(()) => estate.record = record,
                Err(error) => say(self.name(), error),
            }
        }
    }

    /// Gives the endpoint up, once.
    pub(crate) fn unlink_endpoint(&self) {
        if let Some(estate) = self.estate().as_mut()
            && std::mem::take(&mut estate.endpoint_is_there)
        {
            endpoint::unlink(&self.paths, &estate.lock);
        }
    }

    /// Leaves nothing behind, and releases the lock last.
    pub(crate) fn let_go(&self) {
        self.unlink_endpoint();
        if let Some(estate) = self.estate().take() {
            if estate.lock.is_on(&self.paths) {
                let _ = std::fs::remove_file(self.paths.record());
            }
            self.phase.fetch_max(Phase::Stopped as u8, Ordering::AcqRel);
        }
    }

    /// Leaves the reason behind, for the launcher and in the record, and releases the lock last.
    pub(crate) fn let_go_failed(&self, why: &str) {
        self.phase.fetch_max(Phase::Failed as u8, Ordering::AcqRel);
        self.unlink_endpoint();
        let mut estate = self.estate();
        if let Some(estate) = estate.as_mut()
            && estate.lock.is_on(&self.paths)
        {
            estate.record.phase = Phase::Failed;
            estate.record.failure = Some(why.to_owned());
            if let Err(error) = estate.record.write(&self.paths) {
                say(self.name(), error);
            }
        }
        self.tell(&Event::Failed(why.to_owned()));
        *estate = None;
    }

    /// One more connection is served.
    pub(crate) fn open_connection(&self) {
        self.connections.open.fetch_add(1, Ordering::AcqRel);
    }

    /// One connection fewer is served.
    pub(crate) fn close_connection(&self) {
        if self.connections.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop(lock(&self.connections.waiting));
            self.connections.none.notify_all();
        }
    }

    /// Waits until nobody serves a connection any more, or the keeper has lost its patience.
    pub(crate) fn wait_for_connections(&self) {
        let mut waiting = lock(&self.connections.waiting);
        waiting.main_has_returned = true;
        while self.connections.open.load(Ordering::Acquire) > 0 && !waiting.cut_short {
            waiting = self
                .connections
                .none
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody waits for connections any more. Whether `main` has returned, and ends the process itself.
    pub(crate) fn cut_short(&self) -> bool {
        let mut waiting = lock(&self.connections.waiting);
        waiting.cut_short = true;
        self.connections.none.notify_all();
        waiting.main_has_returned
    }

    /// Where the daemon listens.
    pub(crate) fn socket(&self) -> &PathBuf {
        &self.paths.socket
    }

    fn wake_keeper(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.wake();
        } else if !self.is_kept() {
            self.publish();
        }
    }

    /// Whether there is a keeper, or one is about to come.
    #[cfg(feature = "testing")]
    fn is_kept(&self) -> bool {
        !self.is_a_tests
    }

    #[cfg(not(feature = "testing"))]
    #[allow(
        clippy::unused_self,
        reason = "a test's daemon is the only one without"
    )]
    fn is_kept(&self) -> bool {
        true
    }

    fn channel(&self) -> MutexGuard<'_, Option<Channel>> {
        lock(&self.channel)
    }

    fn estate(&self) -> MutexGuard<'_, Option<Estate>> {
        lock(&self.estate)
    }
}

/// A panic elsewhere is no reason not to clean up.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
