//! Step 8: records how a start failed, for the clients that were in the daemon's backlog.

use std::path::Path;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use super::error::LaunchError;
use super::started::StartedDaemon;
use super::wait::Outcome;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::record::{Owner, Record};
use crate::{Instance, Phase};

/// How long processes that inspect the lock may keep this one from taking it.
const SHARED_LOCK_TIMEOUT: Duration = Duration::from_millis(500);

const POLL_INTERVAL: Duration = Duration::from_micros(100);

/// Records the failure of a start, if it has failed and no other daemon is bound.
pub(super) fn record_failure(
    instance: &Instance,
    paths: &Paths,
    started: &StartedDaemon,
    outcome: &Result<Outcome, LaunchError>,
) {
    let (status, reason) = match outcome {
        Ok(outcome) if outcome.is_already_bound() => return,
        Ok(Outcome::Ended { status, reason }) => (*status, reason.clone()),
        Err(LaunchError::Hung { reached, .. }) => {
            let reason = format!("it hung during its start-up ({reached}) and was killed");
            (None, Some(reason))
        }
        _ => return,
    };
    write_failure(
        instance,
        paths,
        started.pid,
        status,
        reason.as_deref(),
        &started.log.path,
    );
}

/// Writes the record with the lock held. If the lock is taken, another launcher is already starting the next daemon.
fn write_failure(
    instance: &Instance,
    paths: &Paths,
    pid: u32,
    status: Option<ExitStatus>,
    reason: Option<&str>,
    log: &Path,
) {
    let Some(lock) = take_lock(paths) else {
        return;
    };
    let record_of_daemon = Record::read(paths).filter(|record| record.pid == pid);
    let mut record = record_of_daemon.unwrap_or_else(|| {
        let mut record = Record::of_this_process(instance, paths.socket.clone());
        record.pid = pid;
        record.owner = Owner::Launcher;
        record.log = Some(log.to_owned());
        record.max_log_size = Some(instance.launch.max_log_size.unwrap_or(0));
        record
    });
    record.phase = Phase::Failed;
    record.exit = status.map(|status| status.to_string());
    if record.failure.is_none() {
        record.failure = reason.map(str::to_owned);
    }
    // Without a record, `last_failure` returns `None`, which is all that can be done here.
    let _ = record.write(paths);
    drop(lock);
}

/// Takes the lock, unless a process holds it exclusively. Processes that inspect the lock share it for a moment.
fn take_lock(paths: &Paths) -> Option<InstanceLock> {
    let deadline = Instant::now() + SHARED_LOCK_TIMEOUT;
    loop {
        if let Some(lock) = InstanceLock::try_take(paths).ok()? {
            return Some(lock);
        }
        let is_held = InstanceLock::is_held(paths).unwrap_or(true);
        if is_held || Instant::now() >= deadline {
            return None;
        }
        thread::sleep(POLL_INTERVAL);
    }
}
