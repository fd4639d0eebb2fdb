//! Steps 0 to 4, in the order of the protocol, for each kind of starter. The result is the [`Bound`].

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::acquire::{self, Acquired};
use super::activation;
use super::adopt::{self, Handoff};
use super::announce::announce;
use super::bound::{Bound, new_bound};
use super::error::StartError;
use super::lifecycle::Lifecycle;
use super::program::Program;
use super::service_manager::ServiceManager;
use super::supervisor::{HangUp, Supervisor};
use crate::diagnostics::print;
use crate::handoff::Event;
use crate::identity::paths::Paths;
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, IpcListener, fault, own_daemon, platform};

/// Who started this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartedBy {
    /// A client's `connect_or_spawn`.
    Launcher,
    /// A service manager, by socket activation.
    ServiceManager,
    /// A person, a script, or a service manager that passes no listener.
    Hand,
}

impl StartedBy {
    /// Looks at the environment and at standard input. The check changes nothing.
    pub(super) fn detect() -> Self {
        if adopt::has_launcher_channel() {
            Self::Launcher
        } else if activation::is_activated() {
            Self::ServiceManager
        } else {
            Self::Hand
        }
    }
}

/// Steps 0 to 4.
///
/// Signals are caught before the record makes the process known, so that no signal kills it. The supervisor thread
/// starts after `BOUND`, so that the launcher does not wait for it.
pub(super) fn start(
    program: &Program,
    started_by: StartedBy,
    main_began: Duration,
) -> Result<Bound, StartError> {
    let main = SystemTime::now();
    let (mut acquired, listener) = match started_by {
        StartedBy::Launcher => start_launched(program)?,
        StartedBy::ServiceManager => start_activated(program)?,
        StartedBy::Hand => start_by_hand(program)?,
    };
    let bound = SystemTime::now();
    acquired.main_began = Some(main_began);
    let owner = acquired.record.owner;
    let hang_up = hang_up(&acquired);
    let listener =
        platform::start_accept_queue(listener, &acquired.record.endpoint).map_err(no_thread)?;
    let lifecycle = Arc::new(Lifecycle::new(acquired, &listener)?);
    own_daemon::set(lifecycle.instance_directory());
    lifecycle.report().add_milestone_at("main", main);
    lifecycle.report().add_milestone_at("bound", bound);
    if let Err(error) = catch_signals_and_record(&lifecycle, hang_up) {
        let reason = error.to_string();
        match error {
            // There is no record to keep the reason, so the launcher writes one.
            StartError::Record(_) => {
                lifecycle.notify_starter(&Event::Failed(reason));
                lifecycle.shut_down();
            }
            // The launcher may have returned already, and its client asks the record for the reason.
            _ => lifecycle.shut_down_after_failure(&reason),
        }
        return Err(error);
    }
    if owner == Owner::Hand {
        announce(program.daemon.name(), lifecycle.endpoint());
    }
    Ok(new_bound(listener, lifecycle))
}

/// What `SIGHUP` will ask for. This is decided now, because a process whose terminal has closed has none any more.
fn hang_up(acquired: &Acquired) -> HangUp {
    let is_by_hand = acquired.record.owner == Owner::Hand && acquired.service_manager.is_none();
    if is_by_hand && platform::has_controlling_terminal() {
        HangUp::Stop
    } else {
        HangUp::Reload
    }
}

fn catch_signals_and_record(lifecycle: &Arc<Lifecycle>, hang_up: HangUp) -> Result<(), StartError> {
    let supervisor = Supervisor::install(lifecycle, hang_up).map_err(no_thread)?;
    fault::point("daemon:signals-caught").map_err(no_thread)?;
    lifecycle.write_record()?;
    supervisor.start(lifecycle).map_err(no_thread)
}

fn no_thread(source: io::Error) -> StartError {
    StartError::Thread { source }
}

/// Steps 0 to 3 of a daemon that a launcher started.
fn start_launched(program: &Program) -> Result<(Acquired, IpcListener), StartError> {
    fault::reach("daemon:launch-detected");
    adopt::reset_inherited_state();
    fault::reach("daemon:inherited-state-reset");
    let mut handoff = adopt::adopt_handoff()?;
    let (instance, paths, listener) =
        bind_launched(program, &mut handoff).inspect_err(|error| {
            // The log can be on a full disk, so the launcher receives the error, too. It may have ended.
            let _ = handoff
                .channel
                .send_line(&Event::Failed(error.to_string()).to_line());
        })?;
    let mut record = new_record(program, &instance, &paths);
    record.owner = Owner::Launcher;
    record.log = Some(handoff.message.log);
    record.max_log_size = handoff.message.max_log_size;
    let mut acquired = Acquired::new(instance, paths, handoff.lock, record);
    acquired.channel = Some(handoff.channel);
    Ok((acquired, listener))
}

fn bind_launched(
    program: &Program,
    handoff: &mut Handoff,
) -> Result<(Instance, Paths, IpcListener), StartError> {
    let instance = handoff.instance_of(program.daemon)?;
    let paths = instance.paths()?.clone();
    paths.check()?;
    let listener = acquire::bind(handoff.listener.take(), &paths, &handoff.lock)?;
    fault::reach("daemon:bound");
    Ok((instance, paths, listener))
}

/// Steps 1 to 3 of a daemon that was started by hand.
fn start_by_hand(program: &Program) -> Result<(Acquired, IpcListener), StartError> {
    let instance = adopt::take_instance_from_environment(program.daemon);
    let paths = instance.paths()?.clone();
    let lock = acquire::take_lock(&paths)?;
    fault::reach("daemon:locked");
    let listener = acquire::bind(None, &paths, &lock)?;
    fault::reach("daemon:bound");
    let record = new_record(program, &instance, &paths);
    let mut acquired = Acquired::new(instance, paths, lock, record);
    acquired.service_manager = service_manager(program.daemon);
    Ok((acquired, listener))
}

/// Steps 1 and 2 of a daemon that a service manager activated.
///
/// The daemon takes the lock although it does not bind: otherwise a daemon that is started by hand would take the lock,
/// and replace the service manager's endpoint.
fn start_activated(program: &Program) -> Result<(Acquired, IpcListener), StartError> {
    let activated = activation::adopt_listener(program.daemon)?;
    let instance = adopt::take_instance_from_environment(program.daemon);
    let service_manager = service_manager(program.daemon);
    let paths = instance.paths()?.clone();
    let lock = acquire::take_lock(&paths)?;
    let mut record = new_record(program, &instance, &paths);
    record.owner = activated.owner;
    if let Ok(Some(endpoint)) = platform::listener_path(&activated.listener)
        && endpoint != record.endpoint
    {
        print(
            program.daemon.name(),
            format_args!(
                "the service manager listens on {}, but clients connect to {}: change its socket to that path",
                endpoint.display(),
                paths.socket.display()
            ),
        );
        record.endpoint = endpoint;
    }
    let mut acquired = Acquired::new(instance, paths, lock, record);
    acquired.service_manager = service_manager;
    Ok((acquired, activated.listener))
}

/// The service manager that asked for notifications, if any. Its variables are removed from the environment.
fn service_manager(daemon: Daemon) -> Option<ServiceManager> {
    let service_manager = ServiceManager::from_environment(daemon);
    activation::remove_variables();
    service_manager
}

fn new_record(program: &Program, instance: &Instance, paths: &Paths) -> Record {
    let mut record = Record::of_this_process(instance, paths.socket.clone());
    record.package = Some(program.package.to_owned());
    record.version = Some(program.version.to_owned());
    // Counted after bind, and before the runtime starts its first thread.
    record.premain_threads = platform::thread_count();
    record
}
