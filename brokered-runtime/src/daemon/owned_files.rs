//! [`OwnedFiles`]: what the daemon owns on disk, and the instance lock that protects it.
//!
//! These are the record, the endpoint, the control endpoint and the start history. They are changed and removed only
//! while the locked directory is still the one at the path. Otherwise the files there belong to another daemon.

#[cfg(feature = "testing")]
use std::any::Any;
use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bounded_print::print_with_timeout;
use super::descriptor_reserve::DescriptorReserve;
use super::lock_until::lock_until;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, AcceptQueue, FileIdentity};
use crate::record::{Record, RecordError};
use crate::{Phase, endpoint};

/// The files of a running daemon, and the lock on their directory.
#[derive(Debug)]
pub(super) struct OwnedFiles {
    /// The name of the daemon, for messages.
    name: &'static str,
    paths: Paths,
    /// Where the daemon listens.
    endpoint: PathBuf,
    /// The identity of the socket that this process bound. `None` if a service manager bound it.
    own_endpoint: Option<FileIdentity>,
    /// Whether a service manager owns the endpoint, and keeps it after the daemon has ended.
    is_shared: bool,
    is_recorded: AtomicBool,
    descriptors: Arc<DescriptorReserve>,
    /// `None` once the daemon has released everything.
    held: Mutex<Option<Held>>,
}

/// What the daemon holds until its end.
#[derive(Debug)]
struct Held {
    record: Record,
    endpoint_exists: bool,
    control_exists: bool,
    /// Whether the last update of the record has failed. The reason is printed once, and not at each new attempt.
    update_failed: bool,
    lock: InstanceLock,
    /// The directory of a unit test's daemon, dropped after the lock on it.
    #[cfg(feature = "testing")]
    _test_directory: Option<Arc<dyn Any + Send + Sync>>,
}

impl OwnedFiles {
    pub(super) fn new(
        name: &'static str,
        paths: Paths,
        record: Record,
        lock: InstanceLock,
        descriptors: Arc<DescriptorReserve>,
        #[cfg(feature = "testing")] test_directory: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Self {
        let is_shared = record.owner.is_service_manager();
        // Before `BOUND`: after it, another process can know the path and replace the socket.
        let own_endpoint = if is_shared {
            None
        } else {
            platform::file_identity(&paths.socket).ok().flatten()
        };
        Self {
            name,
            paths,
            endpoint: record.endpoint.clone(),
            own_endpoint,
            is_shared,
            is_recorded: AtomicBool::new(false),
            descriptors,
            held: Mutex::new(Some(Held {
                record,
                endpoint_exists: !is_shared,
                update_failed: false,
                control_exists: false,
                lock,
                #[cfg(feature = "testing")]
                _test_directory: test_directory,
            })),
        }
    }

    /// Where the daemon listens.
    pub(super) fn endpoint(&self) -> &Path {
        &self.endpoint
    }

    pub(super) fn instance_directory(&self) -> &Path {
        self.paths.directory()
    }

    /// Whether a service manager owns the endpoint.
    #[cfg(feature = "tokio")]
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// A copy of the record. `None` once the daemon has released everything.
    pub(super) fn record(&self) -> Option<Record> {
        self.held().as_ref().map(|held| held.record.clone())
    }

    /// Step 4: writes the record, with the phase at that moment.
    pub(super) fn write_record(&self, phase: impl FnOnce() -> Phase) -> Result<(), RecordError> {
        if let Some(held) = self.held().as_mut() {
            held.record.phase = phase();
            held.record.write(&self.paths)?;
        }
        Ok(())
    }

    /// From now on clients can find the daemon, and the control endpoint can be bound.
    pub(super) fn set_recorded(&self) {
        self.is_recorded.store(true, Ordering::Release);
    }

    /// Brings the record up to date. If that fails, the next wake of the supervisor thread tries again.
    pub(super) fn update_record(
        &self,
        phase: Phase,
        failure: Option<&str>,
        premain: impl FnOnce() -> Option<Duration>,
    ) {
        if let Some(held) = self.held().as_mut()
            && held.record.phase != phase
            // A client that finds `failed` asks for the reason at once. Without one, `main` is about to write both.
            && (phase != Phase::Failed || failure.is_some())
            && held.lock.is_on(&self.paths)
        {
            let mut record = held.record.clone();
            record.phase = phase;
            if phase == Phase::Failed {
                record.failure = failure.map(str::to_owned);
            }
            record.add_command_line();
            if record.premain.is_none() {
                record.premain = premain();
            }
            match self.write(&record) {
                Ok(()) => {
                    held.record = record;
                    held.update_failed = false;
                }
                Err(error) if !mem::replace(&mut held.update_failed, true) => print_with_timeout(
                    self.name,
                    format_args!(
                        "{error}; the daemon runs, and its record still says `{}`",
                        held.record.phase
                    ),
                ),
                Err(_) => {}
            }
        }
    }

    /// Writes a record that replaces an earlier one, even if no descriptor is free.
    fn write(&self, record: &Record) -> Result<(), RecordError> {
        self.descriptors
            .retry(RecordError::cause, || record.write(&self.paths))
    }

    /// Binds the control endpoint. `None` before the daemon is recorded, and after it has released everything.
    pub(super) fn bind_control(&self) -> io::Result<Option<AcceptQueue>> {
        if !self.is_recorded.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut held = self.held();
        let Some(held) = held.as_mut() else {
            return Ok(None);
        };
        let listener = endpoint::bind_control(&self.paths, &held.lock).map_err(io::Error::other)?;
        held.control_exists = true;
        platform::start_nonblocking_queue(listener, &self.paths.control()).map(Some)
    }

    /// Whether the directory and the endpoint at their paths are still those of this daemon.
    pub(super) fn are_in_place(&self) -> bool {
        let held = self.held();
        let Some(held) = held.as_ref() else {
            return true;
        };
        if !held.lock.is_on(&self.paths) {
            return false;
        }
        match (
            self.own_endpoint,
            platform::file_identity(&self.paths.socket),
        ) {
            (Some(ours), Ok(at_path)) => at_path == Some(ours),
            // A failed check proves nothing.
            (None, _) | (_, Err(_)) => true,
        }
    }

    /// Unlinks the endpoint, once.
    pub(super) fn unlink_endpoint(&self) {
        if let Some(held) = self.held().as_mut()
            && mem::take(&mut held.endpoint_exists)
        {
            endpoint::unlink(&self.paths, &held.lock);
        }
    }

    /// Unlinks the control endpoint, once.
    pub(super) fn unlink_control(&self) {
        if let Some(held) = self.held().as_mut()
            && mem::take(&mut held.control_exists)
        {
            endpoint::unlink_control(&self.paths, &held.lock);
        }
    }

    /// Removes the start history: after a clean end, earlier starts do not count towards the start limit.
    pub(super) fn remove_start_history(&self) {
        if let Some(held) = self.held().as_ref()
            && held.lock.is_on(&self.paths)
        {
            let _ = fs::remove_file(self.paths.starts());
        }
    }

    /// Ends the record of a daemon that ended cleanly, calls `before_unlock`, and releases the lock last. A second call
    /// waits for the first and does nothing.
    pub(super) fn release(&self, before_unlock: impl FnOnce()) {
        // Locked to the end: the caller of a second call ends the process, and the record must be finished by then.
        let mut guard = self.held();
        if let Some(held) = guard.take() {
            if held.lock.is_on(&self.paths) {
                self.remove_or_stop_record(held.record);
            }
            before_unlock();
        }
    }

    /// Removes the record. It stays if a service manager owns the endpoint: launchers read it and do not bind.
    fn remove_or_stop_record(&self, mut record: Record) {
        if self.is_shared {
            record.phase = Phase::Stopped;
            if let Err(error) = self.write(&record) {
                print_with_timeout(self.name, error);
            }
        } else {
            let _ = fs::remove_file(self.paths.record());
        }
    }

    /// Writes the failure into the record, calls `before_unlock`, and releases the lock last.
    pub(super) fn release_after_failure(&self, reason: &str, before_unlock: impl FnOnce()) {
        let mut held = self.held();
        if let Some(held) = held.as_mut()
            && held.lock.is_on(&self.paths)
        {
            held.record.phase = Phase::Failed;
            held.record.add_command_line();
            held.record.failure = Some(reason.to_owned());
            if let Err(error) = self.write(&held.record) {
                print_with_timeout(self.name, error);
            }
        }
        before_unlock();
        *held = None;
    }

    /// Writes the failure into the record before a panic ends the process. The panicking thread may hold the mutex, so
    /// this waits for it only until the deadline.
    pub(super) fn record_last_panic(&self, reason: &str, deadline: Instant) {
        let Some(mut held) = lock_until(&self.held, deadline) else {
            return;
        };
        if let Some(held) = held.as_mut()
            && held.lock.is_on(&self.paths)
        {
            held.record.phase = Phase::Failed;
            held.record.add_command_line();
            held.record.failure = Some(reason.to_owned());
            // The panicking thread may hold the mutex of the reserve, too.
            self.descriptors.give_up(deadline);
            // Printed nowhere: another thread may hold standard error without an end.
            let _ = held.record.write(&self.paths);
        }
    }

    /// The mutex may be poisoned: a panic on another thread is no reason to leave files behind.
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
