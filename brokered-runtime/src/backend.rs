//! The contract as the seed gives it: [`BrokeredBackend`], written by hand, and [`bootstrap`], which runs it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::daemon::acquire;
use crate::daemon::adopt;
use crate::daemon::error::StartError;
use crate::handoff::Event;
use crate::identity::is_daemon_name;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{Channel, ForkGuard};
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, Phase, endpoint};

/// Why an endpoint was not bound.
///
/// Few, since whoever started the daemon treats them alike; there are four so that a daemon can say what
/// happened without an error type of its own.
#[derive(Debug)]
pub enum BindError {
    /// The endpoint is no valid path or pipe name.
    InvalidEndpoint(String),
    /// Another process has bound the endpoint.
    AlreadyBound(String),
    /// The system refused.
    Io(io::Error),
    /// Anything else, such as a refusal by the daemon's own policy.
    Other(String),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidEndpoint(what) => write!(f, "invalid endpoint: {what}"),
            Self::AlreadyBound(what) => write!(f, "endpoint already bound: {what}"),
            Self::Io(error) => write!(f, "bind io error: {error}"),
            Self::Other(what) => write!(f, "bind error: {what}"),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a function returns that does not return: a type without values.
#[derive(Debug)]
pub enum Never {}

/// What accepts clients.
pub type IpcListener = interprocess::local_socket::Listener;

/// A connection, on either side.
pub type IpcStream = interprocess::local_socket::Stream;

/// What a hand-written backend binds, named as the daemon likes: often a daemon's name.
pub type Endpoint = str;

/// A daemon written by hand against the seed's contract.
///
/// An escape hatch, with the weaker guarantee that signatures give: `bind` gets no state, but nothing
/// keeps a `main` from doing something before it calls [`bootstrap`], or a `bind` from reading files.
/// [`brokered_daemon`](crate::brokered_daemon) closes both.
///
/// # How long `bind` may take
///
/// The contract that this comes from allowed 500 milliseconds and then killed the daemon. Here nothing is
/// killed at a fixed time: a healthy daemon on a busy machine can need longer than that. A client waits
/// until its own deadline, and says then that the start is slow.
pub trait BrokeredBackend {
    /// What lives between requests. Made and used inside [`serve`](Self::serve), and never seen by
    /// [`bind`](Self::bind).
    type State: Send + 'static;

    /// Binds the endpoint, and does nothing else.
    ///
    /// Called with the instance lock held, unless a launcher has bound the endpoint already.
    ///
    /// # Errors
    ///
    /// Whatever prevented it.
    fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError>;

    /// Serves for ever. From here on anything may take its time: clients are connected, and wait.
    fn serve(listener: IpcListener) -> Never;
}

/// Runs a hand-written backend: lock → bind → record → serve.
///
/// The endpoint tells which instance lock is held. Where it is a daemon's name, that is the lock of this
/// daemon, and a client's `connect_or_spawn` on a [`Daemon`] of this name starts the process that calls
/// this: the endpoint that the client has bound is adopted then, and [`bind`](BrokeredBackend::bind) is
/// not called, unless the client's `Daemon` is one that
/// [`binds_itself`](Daemon::binds_itself). Any other text has a lock of its own.
///
/// It takes over no signals and can be called more than once in a process. Everything is released when it
/// returns, and when it unwinds.
///
/// # Errors
///
/// What `bind` returns; [`BindError::AlreadyBound`] if another process holds the lock;
/// [`BindError::InvalidEndpoint`] for an empty endpoint or one with a NUL; [`BindError::Io`] if the
/// directory, the lock or the record could not be created, or a launcher's message not be taken over.
///
/// # Panics
///
/// If [`serve`](BrokeredBackend::serve) does.
#[expect(unreachable_code, reason = "`serve` does not return")]
pub fn bootstrap<B: BrokeredBackend>(endpoint: &Endpoint) -> Result<Never, BindError> {
    let mut start = Start::of(endpoint)?;
    let listener = match start.adopted.take() {
        Some(listener) => listener,
        None => B::bind(endpoint)?,
    };
    let _seal = ForkGuard::of_listener(&listener);
    let _recorded = start.record()?;
    Ok(B::serve(listener))
}

/// The lock, and what a launcher has handed over with it.
struct Start {
    instance: Instance,
    paths: Paths,
    lock: InstanceLock,
    adopted: Option<IpcListener>,
    launcher: Option<(Channel, PathBuf)>,
}

impl Start {
    fn of(endpoint: &Endpoint) -> Result<Self, BindError> {
        let instance = instance_of(endpoint)?;
        Ok(if adopt::is_announced() {
            Self::launched(instance.daemon())?
        } else {
            Self::by_hand(instance)?
        })
    }

    /// What was opened, and what was said of signals, before `bootstrap` was called is the daemon's own.
    fn launched(daemon: Daemon) -> Result<Self, StartError> {
        adopt::detach_terminal();
        let handoff = adopt::take_over()?;
        let mut daemon = daemon.contract(handoff.message.contract.max(1));
        if handoff.message.directory.is_some() {
            daemon = daemon.per_directory();
        }
        let instance = handoff.instance_of(daemon)?;
        let paths = instance.paths()?.clone();
        paths.check()?;
        Ok(Self {
            instance,
            paths,
            lock: handoff.lock,
            adopted: handoff.listener,
            launcher: Some((handoff.channel, handoff.message.log)),
        })
    }

    fn by_hand(instance: Instance) -> Result<Self, StartError> {
        let paths = instance.paths()?.clone();
        let lock = acquire::take_lock(&paths)?;
        adopt::forget();
        Ok(Self {
            instance,
            paths,
            lock,
            adopted: None,
            launcher: None,
        })
    }

    /// Writes the record. A hand-written backend loads where nobody sees it, so it counts as ready.
    fn record(self) -> Result<Recorded, StartError> {
        let mut record = Record::of_this_process(&self.instance, self.paths.socket.clone());
        record.phase = Phase::Ready;
        record.has_control = false;
        let (channel, log) = self.launcher.unzip();
        if log.is_some() {
            record.owner = Owner::Launcher;
            record.log = log;
        }
        let recorded = Recorded {
            paths: self.paths,
            lock: self.lock,
        };
        record.write(&recorded.paths)?;
        if let Some(channel) = channel {
            // Failing to tell a launcher that is gone changes nothing.
            let _ = channel.tell(&Event::Bound.to_line());
            let _ = channel.tell(&Event::Ready.to_line());
        }
        Ok(recorded)
    }
}

/// A hand-written daemon that is recorded. When this is dropped, by unwinding, everything is released.
struct Recorded {
    paths: Paths,
    lock: InstanceLock,
}

impl Drop for Recorded {
    fn drop(&mut self) {
        endpoint::unlink(&self.paths, &self.lock);
        if self.lock.is_on(&self.paths) {
            let _ = std::fs::remove_file(self.paths.record());
        }
    }
}

/// The instance whose lock an endpoint stands for.
fn instance_of(endpoint: &Endpoint) -> Result<Instance, BindError> {
    const ANY: Daemon = Daemon::new("endpoint");
    if endpoint.is_empty() || endpoint.contains('\0') {
        return Err(BindError::InvalidEndpoint(format!(
            "{endpoint:?}: an endpoint is neither empty nor has a NUL in it"
        )));
    }
    if !is_daemon_name(endpoint) {
        return Ok(ANY.named(endpoint));
    }
    // A daemon's name lives as long as the program does; a process bootstraps once, or a few times in
    // its tests.
    let name: &'static str = endpoint.to_owned().leak();
    Ok(Daemon::new(name).instance())
}
