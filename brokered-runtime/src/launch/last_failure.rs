//! [`Instance::last_failure`]: how the last daemon failed, for the clients that were in its backlog.

use std::thread;
use std::time::{Duration, Instant};

use super::error::LaunchError;
use super::failure::Failure;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::Access;
use crate::record::Record;
use crate::{Daemon, Instance, Phase};

/// How long a process that is ending may hold its lock after its streams have ended.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(50);

const POLL_INTERVAL: Duration = Duration::from_millis(1);

impl Instance {
    /// Returns how the last daemon failed, if it failed and no other daemon has come up since.
    ///
    /// Call this when a stream has ended without a reply. The connection may have been in the backlog of a daemon
    /// that died before it accepted. The client that started that daemon gets the error from
    /// [`connect_or_spawn`](Self::connect_or_spawn); all the others find the reason here.
    ///
    /// If the daemon is running, the call takes 50 milliseconds: a process that is about to end may still hold its
    /// lock for that long.
    ///
    /// ```no_run
    /// # use std::io::Read;
    /// # const INDEXD: brokered_runtime::Daemon = brokered_runtime::Daemon::new("indexd");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let indexd = INDEXD.instance();
    /// let mut reply = String::new();
    /// indexd.connect_or_spawn()?.read_to_string(&mut reply)?;
    /// if reply.is_empty() && let Some(failure) = indexd.last_failure()? {
    ///     return Err(failure.to_string().into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LaunchError::Instance`] if the instance does not fit its daemon, [`LaunchError::Io`] if the lock cannot be
    /// inspected.
    pub fn last_failure(&self) -> Result<Option<Failure>, LaunchError> {
        let paths = self.paths()?;
        let Some(record) = Record::read(paths) else {
            return Ok(None);
        };
        // A record without a failure belongs to a running daemon, or to one that was killed.
        if record.phase != Phase::Failed && !is_lock_released(paths)? {
            return Ok(None);
        }
        // Read once more: the process may have recorded its failure while it was ending.
        Ok(Record::read(paths).map(|record| Failure::from_record(self, record)))
    }
}

impl Daemon {
    /// Returns how the last daemon of the default instance failed. See [`Instance::last_failure`].
    ///
    /// # Errors
    ///
    /// See [`Instance::last_failure`].
    pub fn last_failure(self) -> Result<Option<Failure>, LaunchError> {
        self.instance().last_failure()
    }
}

/// Whether the lock is free, or becomes free within [`RELEASE_TIMEOUT`].
fn is_lock_released(paths: &Paths) -> Result<bool, LaunchError> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        let is_held = InstanceLock::is_held(paths);
        if !is_held.map_err(LaunchError::access(
            "inspect the lock on",
            paths.directory(),
            Access::Lock,
        ))? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(POLL_INTERVAL);
    }
}
