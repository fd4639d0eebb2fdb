//! Finds daemons that wait for each other until the other one is ready, so that none of them ever is.
//!
//! Each daemon says in its status for which ones its loads wait. A load that is about to wait records that first, and
//! then follows these lists. Of two loads that begin to wait for each other at the same moment, at least one finds the
//! other's record.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ControlError;
use super::status_request::status;
use crate::deadline::Deadline;
use crate::identity::paths::Paths;
use crate::own_daemon::{self, Task, WaitGuard};

/// How long each daemon may take to say what it waits for. One that takes longer is waited for.
const STATUS_TIMEOUT: Duration = Duration::from_millis(500);

/// The most daemons that are asked.
const MAX_DAEMONS: usize = 64;

/// Refuses a call that waits for the daemon that this thread loads.
pub(crate) fn refuse_own(paths: &Paths) -> Result<(), ControlError> {
    if own_daemon::task().is_some() && own_daemon::is(paths.directory()) {
        return Err(ControlError::OwnDaemon {
            endpoint: paths.socket.clone(),
        });
    }
    Ok(())
}

/// Refuses a call that waits for a reply of the daemon whose state this thread loads before `main`.
pub(crate) fn refuse_own_in_load(paths: &Paths) -> Result<(), ControlError> {
    match own_daemon::task() {
        Some(Task::Load) => refuse_own(paths),
        _ => Ok(()),
    }
}

/// Records that this thread waits for a daemon, and refuses that if the daemon waits for this one. `None` if this
/// thread loads no daemon.
pub(super) fn begin_wait(
    paths: &Paths,
    deadline: &Deadline,
) -> Result<Option<WaitGuard>, ControlError> {
    refuse_own(paths)?;
    let guard = own_daemon::begin_wait(paths.directory());
    if guard.is_some()
        && let Some(own) = own_daemon::instance_directory()
        && let Some(chain) = chain_to(own, paths, deadline)
    {
        return Err(ControlError::WaitCycle { chain });
    }
    Ok(guard)
}

/// The instance directories from this daemon over the ones that wait for each other, back to this one.
fn chain_to(own: &Path, paths: &Paths, deadline: &Deadline) -> Option<Vec<PathBuf>> {
    let first = vec![own.to_owned(), paths.directory().to_owned()];
    let mut chains = vec![first];
    let mut asked = BTreeSet::new();
    while let Some(chain) = chains.pop() {
        let last = chain.last()?;
        if asked.len() >= MAX_DAEMONS || !asked.insert(last.clone()) {
            continue;
        }
        let deadline = deadline.at_most(STATUS_TIMEOUT);
        let Ok(status) = status(&Paths::in_directory(last.clone()), &deadline) else {
            continue;
        };
        for next in status.waits_for {
            let longer = [chain.as_slice(), &[next]].concat();
            if longer.last().is_some_and(|last| last == own) {
                return Some(longer);
            }
            chains.push(longer);
        }
    }
    None
}
