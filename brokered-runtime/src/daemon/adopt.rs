//! Steps 0 and 1: reset what the process inherited from its starter, and adopt the hand-off from a launcher.

use std::env;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::acquire;
use super::error::StartError;
use crate::handoff::{self, Event, Message};
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, Channel, ReceivedMessage};
use crate::{Daemon, Instance, IpcListener, endpoint, fault};

/// The hand-off from a launcher.
#[derive(Debug)]
pub(crate) struct Handoff {
    pub(crate) channel: Channel,
    pub(crate) message: Message,
    pub(crate) lock: InstanceLock,
    /// The listener, unless the daemon binds the endpoint itself.
    pub(crate) listener: Option<IpcListener>,
}

/// Whether a launcher has started this process: the environment announces it, and standard input is a channel with the
/// announced nonce. The check changes nothing.
pub(crate) fn has_launcher_channel() -> bool {
    let announcement = env::var(handoff::LAUNCH).unwrap_or_default();
    handoff::announced_nonce(&announcement)
        .is_some_and(|nonce| Channel::is_stdin(&handoff::first_line(nonce)))
}

/// Whether the environment says that this process is the daemon.
pub(crate) fn has_daemon_role() -> bool {
    env::var_os(handoff::ROLE).is_some_and(|role| role == "daemon")
}

/// Step 0: resets descriptors, signals and terminal that this process inherited from its starter.
///
/// It closes all descriptors above standard error, so no code of the daemon may have run before.
pub(crate) fn reset_inherited_state() {
    platform::close_inherited_descriptors();
    platform::reset_signals();
    platform::detach_terminal();
}

/// The part of step 0 that is safe at any time. A hand-written `main` may have opened descriptors and set signal
/// handlers before it.
pub(crate) fn detach_terminal() {
    platform::detach_terminal();
}

/// Step 1: adopts the lock and the listener, and removes the variables that announced them.
pub(crate) fn adopt_handoff() -> Result<Handoff, StartError> {
    let channel = Channel::from_stdin().map_err(|source| StartError::Handoff { source })?;
    match receive(&channel) {
        Ok((message, lock, listener)) => {
            // The launcher may have ended; the daemon serves all the same.
            let _ = channel.send_line(&Event::Adopted.to_line());
            fault::reach("daemon:adopted");
            Ok(Handoff {
                channel,
                message,
                lock,
                listener,
            })
        }
        Err(error) => {
            let _ = channel.send_line(&Event::Failed(error.to_string()).to_line());
            Err(error)
        }
    }
}

/// Receives the message, the lock and the listener. Where a lock can't be passed, the daemon takes it here.
fn receive(channel: &Channel) -> Result<(Message, InstanceLock, Option<IpcListener>), StartError> {
    let failed = |source| StartError::Handoff { source };
    let received = receive_message(channel).map_err(failed)?;
    remove_variables();
    fault::reach("daemon:message-consumed");

    let text = String::from_utf8_lossy(&received.text);
    let message = Message::from_text(&text)
        .ok_or_else(|| failed(invalid("the launch message lacks a required field")))?;
    let paths = Paths::in_directory(message.instance_directory.clone());
    let lock = match received.lock {
        Some(lock) => adopt_lock(lock, &paths).map_err(failed)?,
        None => acquire::take_lock(&paths)?,
    };
    if let Some(listener) = &received.listener {
        adopt_listener(listener, &paths).map_err(failed)?;
    }
    Ok((message, lock, received.listener))
}

fn receive_message(channel: &Channel) -> io::Result<ReceivedMessage> {
    let received = channel.receive()?;
    fault::point("daemon:message-received")?;
    platform::redirect_stdin_to_null()?;
    Ok(received)
}

fn adopt_lock(lock: File, paths: &Paths) -> io::Result<InstanceLock> {
    InstanceLock::adopt(lock, paths)?
        .ok_or_else(|| invalid("the passed lock is not on the instance directory"))
}

fn adopt_listener(listener: &IpcListener, paths: &Paths) -> io::Result<()> {
    if !platform::listens_at(listener, &paths.socket)? {
        return Err(invalid("the passed listener is not on the endpoint"));
    }
    platform::listen_again(listener)
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

impl Handoff {
    /// The instance that the launcher meant. If it meant another daemon than this executable, the endpoint is unlinked.
    pub(crate) fn instance_of(&self, daemon: Daemon) -> Result<Instance, StartError> {
        let described = |name: &str, contract: u32| format!("{name}, contract {contract}");
        let asked = described(&self.message.name, self.message.contract);
        let here = described(daemon.name(), daemon.contract_number());
        if asked != here {
            endpoint::unlink(
                &Paths::in_directory(self.message.instance_directory.clone()),
                &self.lock,
            );
            return Err(StartError::OtherDaemon { asked, here });
        }
        Ok(Instance::from_handoff(
            daemon,
            self.message.directory.clone(),
            self.message.instance.clone(),
            Paths::in_directory(self.message.instance_directory.clone()),
        ))
    }
}

/// The instance of a daemon that no launcher started. `BROKERED_INSTANCE` selects it.
pub(crate) fn instance_from_environment(daemon: Daemon) -> Instance {
    let named = env::var_os(handoff::INSTANCE).filter(|value| !value.is_empty());
    match named {
        None => daemon.instance(),
        Some(directory) if daemon.is_per_directory() => daemon.at(PathBuf::from(directory)),
        Some(name) => daemon.named(name.to_string_lossy()),
    }
}

/// Step 1 without a launcher: reads the instance from the environment, and removes the variables.
pub(crate) fn take_instance_from_environment(daemon: Daemon) -> Instance {
    let instance = instance_from_environment(daemon);
    remove_variables();
    instance
}

/// Removes the variables of this start from the environment, so that no child process takes them for its own.
///
/// If the process already has other threads, the variables stay, because another thread could read the environment at
/// the same time. The announcement is marked as used in any case.
pub(crate) fn remove_variables() {
    const VARIABLES: [&str; 3] = [handoff::LAUNCH, handoff::ROLE, handoff::INSTANCE];
    handoff::mark_announcement_used();
    if VARIABLES.iter().any(|name| env::var_os(name).is_some()) {
        platform::remove_environment_variables(&VARIABLES);
    }
}
