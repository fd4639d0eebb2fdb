//! Steps 0 and 1: leave behind what leaked in, and take over what a launcher has handed over.

use std::env;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::acquire;
use super::error::StartError;
use crate::handoff::{self, Event, Message};
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, Channel, Received};
use crate::{Daemon, Instance, IpcListener, endpoint, fault};

/// What a launcher has handed over.
#[derive(Debug)]
pub(crate) struct Handoff {
    pub(crate) channel: Channel,
    pub(crate) message: Message,
    pub(crate) lock: InstanceLock,
    /// The endpoint, unless the daemon binds it.
    pub(crate) listener: Option<IpcListener>,
}

/// Whether a launcher has started this process: the environment announces it, and standard input is the
/// launcher's channel. Nothing is changed by asking.
pub(crate) fn is_announced() -> bool {
    let announcement = env::var(handoff::LAUNCH).unwrap_or_default();
    handoff::announced_nonce(&announcement)
        .is_some_and(|nonce| Channel::is_stdin(&handoff::first_line(nonce)))
}

/// Whether whoever started this process says that it is the daemon.
pub(crate) fn has_daemon_role() -> bool {
    env::var_os(handoff::ROLE).is_some_and(|role| role == "daemon")
}

/// Step 0: leaves behind what this process inherited from whoever happened to start it.
///
/// Only where nothing of the daemon's own has run yet, since all that is open above standard error is
/// closed.
pub(crate) fn reset_inherited_state() {
    platform::close_inherited_descriptors();
    platform::reset_signals();
    platform::detach_terminal();
}

/// The part of step 0 that a process can go through at any time: its descriptors and its signals may be its
/// own by now.
pub(crate) fn detach_terminal() {
    platform::detach_terminal();
}

/// Step 1: takes over lock and listener, seals them, and forgets how they came.
pub(crate) fn take_over() -> Result<Handoff, StartError> {
    let channel = Channel::from_stdin().map_err(|problem| StartError::Handoff { problem })?;
    match receive(&channel) {
        Ok((message, lock, listener)) => {
            // Failing to tell a launcher that is gone changes nothing.
            let _ = channel.tell(&Event::Adopted.to_line());
            fault::pass("daemon:adopted");
            Ok(Handoff {
                channel,
                message,
                lock,
                listener,
            })
        }
        Err(error) => {
            let _ = channel.tell(&Event::Failed(error.to_string()).to_line());
            Err(error)
        }
    }
}

/// What was sent, with the lock held: the launcher's, or where it can't be handed over, taken here.
fn receive(channel: &Channel) -> Result<(Message, InstanceLock, Option<IpcListener>), StartError> {
    let failed = |problem| StartError::Handoff { problem };
    let received = receive_message(channel).map_err(failed)?;
    forget();
    fault::pass("daemon:message-consumed");

    let text = String::from_utf8_lossy(&received.text);
    let message = Message::from_text(&text)
        .ok_or_else(|| failed(invalid("the launch message lacks something")))?;
    let paths = Paths::in_directory(message.runtime.clone());
    let lock = match received.lock {
        Some(lock) => adopt_lock(lock, &paths).map_err(failed)?,
        None => acquire::take_lock(&paths)?,
    };
    if let Some(listener) = &received.listener {
        adopt_listener(listener, &paths).map_err(failed)?;
    }
    Ok((message, lock, received.listener))
}

fn receive_message(channel: &Channel) -> io::Result<Received> {
    let received = channel.receive()?;
    fault::point("daemon:message-received")?;
    platform::null_input()?;
    Ok(received)
}

fn adopt_lock(lock: File, paths: &Paths) -> io::Result<InstanceLock> {
    InstanceLock::adopt(lock, paths)?
        .ok_or_else(|| invalid("its lock is not on the instance's directory"))
}

fn adopt_listener(listener: &IpcListener, paths: &Paths) -> io::Result<()> {
    if !platform::listens_at(listener, &paths.socket)? {
        return Err(invalid("its listener is not on the instance's endpoint"));
    }
    platform::listen_again(listener)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Handoff {
    /// The instance that the launcher meant, if this executable is its daemon. If it is not, the endpoint
    /// that the launcher has bound for it is given up.
    pub(crate) fn instance_of(&self, daemon: Daemon) -> Result<Instance, StartError> {
        let described = |name: &str, contract: u32| format!("{name}, contract {contract}");
        let asked = described(&self.message.name, self.message.contract);
        let here = described(daemon.name(), daemon.contract_number());
        if asked != here {
            endpoint::unlink(
                &Paths::in_directory(self.message.runtime.clone()),
                &self.lock,
            );
            return Err(StartError::Mismatch { asked, here });
        }
        Ok(Instance::from_handoff(
            daemon,
            self.message.directory.clone(),
            self.message.instance.clone(),
            Paths::in_directory(self.message.runtime.clone()),
        ))
    }
}

/// The instance of a daemon that was started by hand: the environment says which.
pub(crate) fn instance_from_environment(daemon: Daemon) -> Instance {
    let named = env::var_os(handoff::INSTANCE).filter(|value| !value.is_empty());
    match named {
        None => daemon.instance(),
        Some(directory) if daemon.is_per_directory() => daemon.at(PathBuf::from(directory)),
        Some(name) => daemon.named(name.to_string_lossy()),
    }
}

/// Step 1 of a daemon that was started by hand: learns which instance it is, and forgets from where.
pub(crate) fn take_instance_from_environment(daemon: Daemon) -> Instance {
    let instance = instance_from_environment(daemon);
    forget();
    instance
}

/// Takes the variables that speak of this start out of the environment, so that no child of the daemon's
/// takes them for its own. Where another thread could be reading it, they stay, and are spent.
pub(crate) fn forget() {
    const SPOKEN: [&str; 3] = [handoff::LAUNCH, handoff::ROLE, handoff::INSTANCE];
    handoff::mark_announcement_used();
    if SPOKEN.iter().any(|name| env::var_os(name).is_some()) {
        platform::remove_variables(&SPOKEN);
    }
}
