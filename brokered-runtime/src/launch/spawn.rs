//! Steps 4 and 5: bind, send the message with lock and listener, and only then start the process.

use std::fs;

use super::children::ChildGuard;
use super::error::LaunchError;
use super::log::Log;
use super::program;
use super::start_limit;
use super::started::StartedDaemon;
use crate::handoff::{self, Message};
use crate::identity::paths::Paths;
use crate::instance_lock::{InstanceLock, LauncherLocks};
use crate::nonce::new_nonce;
use crate::platform::{self, Channel, ChannelEnd, Child};
use crate::record::Record;
use crate::{Instance, IpcListener, Phase, endpoint, fault};

/// Starts the daemon with the lock held, within the start limit.
pub(super) fn start(
    instance: &Instance,
    paths: &Paths,
    lock: LauncherLocks,
) -> Result<StartedDaemon, LaunchError> {
    let recorded = start_limit::record_start(instance, paths, &lock)?;
    fault::reach("launch:start-recorded");
    let started = bind_and_spawn(instance, paths, lock);
    if started.is_err() {
        recorded.revoke();
    }
    started
}

/// Step 4: unlinks, binds and listens, unless the daemon does. Then step 5.
fn bind_and_spawn(
    instance: &Instance,
    paths: &Paths,
    mut lock: LauncherLocks,
) -> Result<StartedDaemon, LaunchError> {
    let listener = match lock.instance().filter(|_| launcher_binds(instance)) {
        Some(lock) => Some(endpoint::bind(paths, lock)?),
        None => None,
    };
    fault::reach("launch:bound");
    remove_stale_record(paths);
    fault::reach("launch:stale-record-removed");
    match hand_off_and_spawn(instance, paths, &mut lock, listener.as_ref()) {
        // Lock and listener are in the message now. Copies that stay open here would only hide the daemon's death.
        Ok((child, channel, log)) => Ok(StartedDaemon {
            pid: child.id(),
            child: ChildGuard::new(child),
            channel,
            log,
            is_bound: listener.is_some(),
            lock: (!platform::MESSAGES_KEEP_DESCRIPTORS_OPEN).then_some(lock),
            reason: None,
        }),
        Err(error) => {
            if let Some(lock) = lock.instance() {
                endpoint::unlink(paths, lock);
            }
            Err(error)
        }
    }
}

/// Removes the record of a dead daemon, which would otherwise be taken for the record of the next one. A failure
/// stays until the next daemon is bound, because clients of the dead one may still ask for it.
fn remove_stale_record(paths: &Paths) {
    let is_failure = |record: Record| record.phase == Phase::Failed;
    if !Record::read(paths).is_some_and(is_failure) {
        let _ = fs::remove_file(paths.record());
    }
}

fn launcher_binds(instance: &Instance) -> bool {
    platform::CAN_PASS_LISTENERS && !instance.daemon().is_binding_itself()
}

/// Step 5: sends the message, then starts the process, so that it finds a complete message.
fn hand_off_and_spawn(
    instance: &Instance,
    paths: &Paths,
    lock: &mut LauncherLocks,
    listener: Option<&IpcListener>,
) -> Result<(Child, Channel, Log), LaunchError> {
    let log = Log::open(instance, paths)?;
    fault::point("launch:log-opened").map_err(LaunchError::io("open", &log.path))?;
    let nonce = new_nonce();
    let message = Message {
        name: instance.daemon().name().to_owned(),
        contract: instance.daemon().contract_number(),
        directory: instance
            .daemon()
            .is_per_directory()
            .then(|| instance.directory().to_owned()),
        instance: instance.name().map(str::to_owned),
        instance_directory: paths.directory().to_owned(),
        log: log.path.clone(),
        max_log_size: Some(instance.launch.max_log_size.unwrap_or(0)),
        bound: listener.is_some(),
    };
    let failed = || LaunchError::io("create the channel to the daemon of", paths.directory());
    let (channel, daemon_end) = Channel::pair().map_err(failed())?;
    let text = message.to_text(&nonce);
    channel
        .send(
            text.as_bytes(),
            lock.instance().map(InstanceLock::file),
            listener,
        )
        .map_err(failed())?;
    fault::point("launch:message-sent").map_err(failed())?;
    lock.release_if_not_passed();
    let child = spawn(instance, &nonce, daemon_end, &log)?;
    fault::reach("launch:spawned");
    Ok((child, channel, log))
}

fn spawn(
    instance: &Instance,
    nonce: &str,
    daemon_end: ChannelEnd,
    log: &Log,
) -> Result<Child, LaunchError> {
    let mut command = program::command(instance)?;
    let given = instance.launch.current_dir.as_deref();
    let directory = given.unwrap_or(instance.directory());
    command
        .env(
            handoff::LAUNCH,
            handoff::announcement(instance.daemon(), nonce),
        )
        .current_dir(directory);
    let clears_environment = instance.launch.clear_environment;
    platform::spawn_detached(&mut command, clears_environment, daemon_end, &log.file)
        .map_err(|error| program::start_error(instance, command.get_program(), directory, error))
}
