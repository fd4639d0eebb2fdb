//! The hand-written contract: the trait [`BrokeredBackend`], and [`bootstrap`], which runs an implementation of it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::daemon::acquire;
use crate::daemon::adopt;
use crate::daemon::error::StartError;
use crate::endpoint::EndpointError;
use crate::handoff::Event;
use crate::identity::is_daemon_name;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{Channel, ForkGuard};
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, IpcListener, Never, Phase, endpoint};

/// Why an endpoint was not bound.
///
/// The four variants let a hand-written [`bind`](BrokeredBackend::bind) report what happened without its own error
/// type. Clients treat all of them alike.
#[derive(Debug)]
pub enum BindError {
    /// The endpoint is not a valid path or pipe name.
    InvalidEndpoint(String),
    /// Another process has bound the endpoint.
    AlreadyBound(String),
    /// The system refused a call.
    Io(io::Error),
    /// Any other reason, such as a policy of the daemon.
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

/// The name of an endpoint that a hand-written backend binds.
///
/// Often it is the name of a [`Daemon`].
pub type Endpoint = str;

/// A daemon that is written by hand, without the attribute.
///
/// Its guarantee is weaker than that of [`brokered_daemon`](crate::brokered_daemon). `bind` receives no state, but the
/// compiler does not stop a `main` that works before it calls [`bootstrap`], or a `bind` that reads files.
///
/// ```no_run
/// use std::io::Write;
/// use brokered_runtime::interprocess::local_socket::{
///     GenericFilePath, ListenerOptions, ToFsName, traits::Listener as _,
/// };
/// use brokered_runtime::{
///     BindError, BrokeredBackend, Daemon, Endpoint, IpcListener, Never, bootstrap,
/// };
///
/// const HELLO: Daemon = Daemon::new("hello");
///
/// struct Hello;
///
/// impl BrokeredBackend for Hello {
///     type State = ();
///
///     fn bind(_endpoint: &Endpoint) -> Result<IpcListener, BindError> {
///         let path = HELLO.endpoint().map_err(|error| BindError::Other(error.to_string()))?;
///         // The lock is held, so only a stale socket can be at the path.
///         let _ = std::fs::remove_file(&path);
///         let options = ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?);
///         Ok(options.reclaim_name(false).create_sync()?)
///     }
///
///     fn serve(listener: IpcListener) -> Never {
///         loop {
///             if let Ok(mut client) = listener.accept() {
///                 let _ = client.write_all(b"hello\n");
///             }
///         }
///     }
/// }
///
/// fn main() -> Result<(), BindError> {
///     match bootstrap::<Hello>(HELLO.name())? {}
/// }
/// ```
///
/// # How long `bind` may take
///
/// There is no fixed limit, because a healthy daemon on a busy machine can need long. A client waits until its own
/// deadline, and then reports a slow start.
pub trait BrokeredBackend {
    /// The state of the daemon. [`serve`](Self::serve) creates it; [`bind`](Self::bind) has no access to it.
    type State: Send + 'static;

    /// Binds the endpoint, and does nothing else.
    ///
    /// [`bootstrap`] calls it with the instance lock held. It does not call it if a launcher has already bound the
    /// endpoint.
    ///
    /// # Errors
    ///
    /// The reason why the endpoint was not bound.
    fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError>;

    /// Loads the state and serves clients, forever. Clients can already connect, and wait in the backlog meanwhile.
    fn serve(listener: IpcListener) -> Never;
}

/// Runs a hand-written backend: lock → bind → record → serve.
///
/// The endpoint selects the instance lock. If it is the name of a daemon, it is the lock of that [`Daemon`]'s default
/// instance, and clients can start this process with [`connect_or_spawn`](Daemon::connect_or_spawn). A client that
/// starts it also binds the endpoint; `bootstrap` then adopts the listener and does not call
/// [`bind`](BrokeredBackend::bind), unless the `Daemon` is marked [`binds_itself`](Daemon::binds_itself). Any other
/// text has its own lock.
///
/// It installs no signal handlers, and a process can call it more than once. It releases the lock, the endpoint and the
/// record when it returns an error or unwinds.
///
/// # Errors
///
/// - the error of `bind`;
/// - [`BindError::AlreadyBound`] if another process holds the lock;
/// - [`BindError::InvalidEndpoint`] if the endpoint is empty or contains a NUL character;
/// - [`BindError::Io`] if the directory, the lock or the record cannot be created, or if the hand-off from a launcher
///   fails.
///
/// # Panics
///
/// Panics if [`bind`](BrokeredBackend::bind) or [`serve`](BrokeredBackend::serve) panics.
#[expect(unreachable_code, reason = "`serve` does not return")]
pub fn bootstrap<B: BrokeredBackend>(endpoint: &Endpoint) -> Result<Never, BindError> {
    let mut locked = Locked::new(endpoint)?;
    let listener = match locked.adopted.take() {
        Some(listener) => listener,
        None => B::bind(endpoint).inspect_err(|error| locked.report(error))?,
    };
    let _fork_guard = ForkGuard::of_listener(&listener);
    let _recorded = locked.write_record()?;
    Ok(B::serve(listener))
}

/// A daemon that holds the lock and is not yet recorded.
struct Locked {
    instance: Instance,
    paths: Paths,
    lock: InstanceLock,
    adopted: Option<IpcListener>,
    launcher: Option<(Channel, PathBuf, Option<u64>)>,
}

impl Locked {
    fn new(endpoint: &Endpoint) -> Result<Self, BindError> {
        let instance = instance_of(endpoint)?;
        Ok(if adopt::has_launcher_channel() {
            Self::launched(instance.daemon())?
        } else {
            Self::by_hand(instance)?
        })
    }

    /// Inherited descriptors and signal handling are left alone: the program may have changed them before `bootstrap`.
    fn launched(daemon: Daemon) -> Result<Self, StartError> {
        adopt::detach_terminal();
        let handoff = adopt::adopt_handoff()?;
        let mut daemon = daemon.contract(handoff.message.contract.max(1));
        if handoff.message.directory.is_some() {
            daemon = daemon.per_directory();
        }
        let prepare = || -> Result<(Instance, Paths), StartError> {
            let instance = handoff.instance_of(daemon)?;
            let paths = instance.paths()?.clone();
            paths.check()?;
            Ok((instance, paths))
        };
        let (instance, paths) =
            prepare().inspect_err(|error| send_failure(&handoff.channel, error))?;
        Ok(Self {
            instance,
            paths,
            lock: handoff.lock,
            adopted: handoff.listener,
            launcher: Some((
                handoff.channel,
                handoff.message.log,
                handoff.message.max_log_size,
            )),
        })
    }

    /// Reports an error to the launcher, if there is one.
    fn report(&self, error: &BindError) {
        if let Some((channel, _, _)) = &self.launcher {
            send_failure(channel, error);
        }
    }

    fn by_hand(instance: Instance) -> Result<Self, StartError> {
        let paths = instance.paths()?.clone();
        let lock = acquire::take_lock(&paths)?;
        adopt::remove_variables();
        Ok(Self {
            instance,
            paths,
            lock,
            adopted: None,
            launcher: None,
        })
    }

    /// Writes the record. The load of a hand-written backend is not observable, so its phase is `ready` from the start.
    fn write_record(self) -> Result<Recorded, StartError> {
        let mut record = Record::of_this_process(&self.instance, self.paths.socket.clone());
        record.phase = Phase::Ready;
        record.has_control = false;
        let channel = self.launcher.map(|(channel, log, max_log_size)| {
            record.owner = Owner::Launcher;
            record.log = Some(log);
            record.max_log_size = max_log_size;
            channel
        });
        let recorded = Recorded {
            paths: self.paths,
            lock: self.lock,
        };
        record.write(&recorded.paths).inspect_err(|error| {
            if let Some(channel) = &channel {
                send_failure(channel, error);
            }
        })?;
        if let Some(channel) = channel {
            // The launcher may have ended; the daemon serves all the same.
            let _ = channel.send_line(&Event::Bound.to_line());
            let _ = channel.send_line(&Event::Ready.to_line());
        }
        Ok(recorded)
    }
}

/// Sends an error to the launcher. The log, to which the program prints it, can be at a limit.
fn send_failure(channel: &Channel, error: &dyn Error) {
    let _ = channel.send_line(&Event::Failed(error.to_string()).to_line());
}

/// A recorded hand-written daemon. Dropping it releases the endpoint, the record and the lock.
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

/// A [`BindError`] has four variants, so each [`StartError`] becomes the nearest one.
impl From<StartError> for BindError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Instance(_) | StartError::OtherDaemon { .. } => {
                Self::InvalidEndpoint(error.to_string())
            }
            StartError::AlreadyBound { .. }
            | StartError::Endpoint(EndpointError::Managed { .. }) => {
                Self::AlreadyBound(error.to_string())
            }
            other => Self::Io(io::Error::other(other)),
        }
    }
}

/// The instance whose lock belongs to an endpoint.
fn instance_of(endpoint: &Endpoint) -> Result<Instance, BindError> {
    /// The daemon of all endpoints that are not the name of a daemon.
    const OTHER: Daemon = Daemon::new("endpoint");
    if endpoint.is_empty() || endpoint.contains('\0') {
        return Err(BindError::InvalidEndpoint(format!(
            "{endpoint:?}: an endpoint must not be empty or contain a NUL character"
        )));
    }
    if !is_daemon_name(endpoint) {
        return Ok(OTHER.named(endpoint));
    }
    // A daemon's name is `'static`. A process calls `bootstrap` once, or a few times in its tests, so the leak is
    // small.
    let name: &'static str = endpoint.to_owned().leak();
    Ok(Daemon::new(name).instance())
}
