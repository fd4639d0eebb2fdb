//! Steps 4 and 5: bind for the daemon, hand everything over, and only then start it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use super::children::ChildGuard;
use super::error::LaunchError;
use super::program;
use super::start_limit;
use crate::handoff::{self, Message};
use crate::identity::paths::Paths;
use crate::instance_lock::{InstanceLock, LaunchLock};
use crate::platform::{self, Channel, ChannelEnd, Child};
use crate::record::Record;
use crate::{Instance, IpcListener, Phase, endpoint, fault};

/// A log that has grown beyond this is put aside when the next daemon starts.
const LARGEST_LOG: u64 = 1024 * 1024;

/// A daemon that was started, and what to hear of it by.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: ChildGuard,
    pub(super) pid: u32,
    pub(super) channel: Channel,
    pub(super) log: Log,
    /// Whether the endpoint is bound already.
    pub(super) is_bound: bool,
    /// This side's copy of the lock, or its turn, where the daemon must have the lock first.
    pub(super) copy: Option<LaunchLock>,
}

/// Binds, unless the daemon does, and starts it.
pub(super) fn start(
    instance: &Instance,
    paths: &Paths,
    lock: LaunchLock,
) -> Result<Started, LaunchError> {
    let noted = start_limit::spend(instance, paths, &lock)?;
    fault::pass("launch:start-recorded");
    let started = bind_and_spawn(instance, paths, lock);
    if started.is_err() {
        noted.revoke();
    }
    started
}

fn bind_and_spawn(
    instance: &Instance,
    paths: &Paths,
    mut lock: LaunchLock,
) -> Result<Started, LaunchError> {
    let listener = match lock.instance().filter(|_| binds_here(instance)) {
        Some(lock) => Some(endpoint::bind(paths, lock)?),
        None => None,
    };
    fault::pass("launch:bound");
    remove_stale_record(paths);
    fault::pass("launch:stale-record-removed");
    match hand_over_and_spawn(instance, paths, &mut lock, listener.as_ref()) {
        // Both are in the message now. Kept any longer here, they would only hide the daemon's death.
        Ok((child, channel, log)) => Ok(Started {
            pid: child.id(),
            child: ChildGuard::new(child),
            channel,
            log,
            is_bound: listener.is_some(),
            copy: (!platform::MESSAGES_KEEP_DESCRIPTORS_OPEN).then_some(lock),
        }),
        Err(error) => {
            if let Some(lock) = lock.instance() {
                endpoint::unlink(paths, lock);
            }
            Err(error)
        }
    }
}

/// What the record tells is of a daemon that is dead: nobody is to take it for the next one's. A failure stays
/// until the next one is up, since others may still ask for it.
fn remove_stale_record(paths: &Paths) {
    let is_a_failure = |record: Record| record.phase == Phase::Failed;
    if !Record::read(paths).is_some_and(is_a_failure) {
        let _ = fs::remove_file(paths.record());
    }
}

fn binds_here(instance: &Instance) -> bool {
    platform::CAN_PASS_LISTENERS && !instance.daemon().is_binding_itself()
}

/// The message comes first, and the daemon finds it complete.
fn hand_over_and_spawn(
    instance: &Instance,
    paths: &Paths,
    lock: &mut LaunchLock,
    listener: Option<&IpcListener>,
) -> Result<(Child, Channel, Log), LaunchError> {
    let log = Log::open(instance, paths)?;
    fault::point("launch:log-opened").map_err(LaunchError::io("open", &log.path))?;
    let nonce = handoff::new_nonce();
    let message = Message {
        name: instance.daemon().name().to_owned(),
        contract: instance.daemon().contract_number(),
        directory: instance
            .daemon()
            .is_per_directory()
            .then(|| instance.directory().to_owned()),
        instance: instance.name().map(str::to_owned),
        runtime: paths.directory().to_owned(),
        log: log.path.clone(),
        bound: listener.is_some(),
    };
    let failed = || LaunchError::io("make the channel to the daemon of", paths.directory());
    let (channel, end) = Channel::pair().map_err(failed())?;
    let text = message.to_text(&nonce);
    channel
        .send(
            text.as_bytes(),
            lock.instance().map(InstanceLock::file),
            listener,
        )
        .map_err(failed())?;
    fault::point("launch:message-sent").map_err(failed())?;
    lock.release_turn();
    let child = spawn(instance, &nonce, end, &log)?;
    fault::pass("launch:spawned");
    Ok((child, channel, log))
}

fn spawn(
    instance: &Instance,
    nonce: &str,
    end: ChannelEnd,
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
    let clears = instance.launch.clear_environment;
    platform::spawn_detached(&mut command, clears, end, &log.file)
        .map_err(|error| program::not_started(instance, command.get_program(), directory, error))
}

/// Where a daemon's output goes.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    file: File,
    /// Where this daemon's part of it begins.
    pub(super) begin: u64,
}

impl Log {
    fn open(instance: &Instance, paths: &Paths) -> Result<Self, LaunchError> {
        match &instance.launch.log {
            Some(path) => {
                let path = std::path::absolute(path).map_err(LaunchError::io("open", path))?;
                Self::open_at(path)
            }
            None => match Self::open_at(paths.log())? {
                log if log.begin > LARGEST_LOG => {
                    // If that fails, it only grows on.
                    let _ = fs::rename(&log.path, log.path.with_file_name("log.1"));
                    Self::open_at(log.path)
                }
                log => Ok(log),
            },
        }
    }

    fn open_at(path: PathBuf) -> Result<Self, LaunchError> {
        let open = || -> io::Result<(File, u64)> {
            let file = platform::open_append(&path)?;
            let begin = file.metadata()?.len();
            Ok((file, begin))
        };
        let (file, begin) = open().map_err(LaunchError::io("open", &path))?;
        Ok(Self { path, file, begin })
    }
}
