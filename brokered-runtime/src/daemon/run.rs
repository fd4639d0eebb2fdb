//! A daemon's life, in the order of the protocol. This is what the attribute's `main` calls.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::acquire::{self, Acquired};
use super::activation::{self, Manager};
use super::adopt::{self, Handoff};
use super::announce::announce;
use super::bound::{Bound, prove};
use super::error::{StartError, exit_code};
use super::help;
use super::lifecycle::Lifecycle;
use super::state::LoadFailed;
use super::supervisor::Supervisor;
use crate::diagnostics::print;
use crate::handoff::Event;
use crate::identity::paths::Paths;
use crate::identity::set_daemon_of_this_executable;
use crate::record::{Owner, Record};
use crate::{Daemon, Instance, IpcListener, fault, platform};

/// What the attribute knows of the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// The daemon that it serves.
    pub daemon: Daemon,
    /// The package's name.
    pub package: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// The package's description.
    pub description: &'static str,
    /// What `--help` says.
    pub help: Help,
}

/// What `--help` says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Help {
    /// What can be told of every daemon.
    Generated,
    /// This text.
    Text(&'static str),
    /// `--help` and `--version` are the daemon's own arguments.
    None,
}

/// The latch: a process becomes a daemon, or its client, once.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Runs this process: as the client, where there is one and nothing says that this is the daemon, or as
/// the daemon.
pub(crate) fn run(
    program: &Program,
    cli: Option<&dyn Fn() -> ExitCode>,
    body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>,
) -> ExitCode {
    // The clock is read without a system call.
    let entered = platform::uptime();
    let daemon = program.daemon;
    if ENTERED.swap(true, Ordering::AcqRel) {
        print(
            daemon.name(),
            "main was entered a second time; a process becomes a daemon once",
        );
        process::exit(i32::from(exit_code::SOFTWARE));
    }
    set_daemon_of_this_executable(daemon);
    let started_by = StartedBy::look();
    let is_started = started_by != StartedBy::Hand;
    match cli {
        Some(cli) if !is_started && !adopt::has_daemon_role() => cli(),
        Some(_) => serve(program, started_by, entered, body),
        None => match help::answer(program).filter(|_| !is_started) {
            Some(answer) => print_answer(&answer),
            None => serve(program, started_by, entered, body),
        },
    }
}

/// Who has started this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartedBy {
    Launcher,
    Manager,
    Hand,
}

impl StartedBy {
    fn look() -> Self {
        if adopt::is_announced() {
            Self::Launcher
        } else if activation::is_activated() {
            Self::Manager
        } else {
            Self::Hand
        }
    }
}

fn print_answer(answer: &str) -> ExitCode {
    match io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(
    program: &Program,
    started_by: StartedBy,
    entered: Duration,
    body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>,
) -> ExitCode {
    match start(program, started_by, entered) {
        Ok(bound) => live(bound, body),
        Err(error) => {
            print(program.daemon.name(), &error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Steps 0 to 4. Signals are caught before anybody can know whom to send one, and the keeper, who acts on them and
/// answers on the control endpoint, starts when the launcher knows what it waits for.
fn start(program: &Program, started_by: StartedBy, entered: Duration) -> Result<Bound, StartError> {
    let main = SystemTime::now();
    let (mut acquired, listener) = match started_by {
        StartedBy::Launcher => start_launched(program)?,
        StartedBy::Manager => start_activated(program)?,
        StartedBy::Hand => start_by_hand(program)?,
    };
    let bound = SystemTime::now();
    acquired.entered = Some(entered);
    let owner = acquired.record.owner;
    let listener =
        platform::start_accept_queue(listener, &acquired.record.endpoint).map_err(no_thread)?;
    let lifecycle = Arc::new(Lifecycle::new(acquired, &listener)?);
    lifecycle.report().pass_at("main", main);
    lifecycle.report().pass_at("bound", bound);
    if let Err(error) = supervise_and_record(&lifecycle) {
        lifecycle.tell(&Event::Failed(error.to_string()));
        lifecycle.shut_down();
        return Err(error);
    }
    if owner == Owner::Hand {
        announce(program.daemon.name(), lifecycle.socket());
    }
    Ok(prove(listener, lifecycle))
}

fn supervise_and_record(lifecycle: &Arc<Lifecycle>) -> Result<(), StartError> {
    let supervisor = Supervisor::install(lifecycle).map_err(no_thread)?;
    fault::point("daemon:signals-caught").map_err(no_thread)?;
    lifecycle.record()?;
    supervisor.start(lifecycle).map_err(no_thread)
}

fn no_thread(source: io::Error) -> StartError {
    StartError::Signals { source }
}

/// Steps 0 to 3 of a daemon that a launcher has started.
fn start_launched(program: &Program) -> Result<(Acquired, IpcListener), StartError> {
    fault::pass("daemon:launch-detected");
    adopt::reset_inherited_state();
    fault::pass("daemon:inherited-state-reset");
    let mut handoff = adopt::take_over()?;
    let (instance, paths, listener) =
        bind_launched(program, &mut handoff).inspect_err(|error| {
            // The log may be where there is no space. A launcher that is gone does not need to know.
            let _ = handoff
                .channel
                .tell(&Event::Failed(error.to_string()).to_line());
        })?;
    let mut record = record(program, &instance, &paths);
    record.owner = Owner::Launcher;
    record.log = Some(handoff.message.log);
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
    fault::pass("daemon:bound");
    Ok((instance, paths, listener))
}

/// Steps 1 to 3 of a daemon that was started by hand.
fn start_by_hand(program: &Program) -> Result<(Acquired, IpcListener), StartError> {
    let instance = adopt::take_instance_from_environment(program.daemon);
    let paths = instance.paths()?.clone();
    let lock = acquire::take_lock(&paths)?;
    fault::pass("daemon:locked");
    let listener = acquire::bind(None, &paths, &lock)?;
    fault::pass("daemon:bound");
    let record = record(program, &instance, &paths);
    let mut acquired = Acquired::new(instance, paths, lock, record);
    acquired.manager = manager(program.daemon);
    Ok((acquired, listener))
}

/// Steps 1 and 2 of a daemon whose endpoint a service manager holds. It takes the lock all the same, so that
/// nobody else binds the endpoint.
fn start_activated(program: &Program) -> Result<(Acquired, IpcListener), StartError> {
    let activated = activation::take_over(program.daemon)?;
    let instance = adopt::take_instance_from_environment(program.daemon);
    let manager = manager(program.daemon);
    let paths = instance.paths()?.clone();
    let lock = acquire::take_lock(&paths)?;
    let mut record = record(program, &instance, &paths);
    record.owner = activated.owner;
    if let Ok(Some(endpoint)) = platform::path_of(&activated.listener)
        && endpoint != record.endpoint
    {
        print(
            program.daemon.name(),
            format_args!(
                "the service manager listens on {}, and clients look for the daemon on {}",
                endpoint.display(),
                paths.socket.display()
            ),
        );
        record.endpoint = endpoint;
    }
    let mut acquired = Acquired::new(instance, paths, lock, record);
    acquired.manager = manager;
    Ok((acquired, activated.listener))
}

/// Whom to report to, if somebody wants to know.
fn manager(daemon: Daemon) -> Option<Manager> {
    let manager = Manager::from_environment(daemon);
    activation::forget();
    manager
}

fn record(program: &Program, instance: &Instance, paths: &Paths) -> Record {
    let mut record = Record::of_this_process(instance, paths.socket.clone());
    record.package = Some(program.package.to_owned());
    record.version = Some(program.version.to_owned());
    // Bound, and with no thread of the runtime's yet.
    record.premain_threads = platform::threads();
    record
}

/// Steps 6 and 7, and the end.
fn live(bound: Bound, body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>) -> ExitCode {
    let lifecycle = Arc::clone(bound.lifecycle());
    match panic::catch_unwind(AssertUnwindSafe(|| body(bound))) {
        Ok(Ok(code)) => {
            lifecycle.request_stop();
            lifecycle.wait_for_connections();
            // A load in the background may have failed meanwhile.
            if let Some(why) = lifecycle.failure() {
                return fail(&lifecycle, why, exit_code::SOFTWARE);
            }
            if code == ExitCode::SUCCESS {
                lifecycle.clear_start_count();
                lifecycle.shut_down();
            } else {
                lifecycle.shut_down_failed("main ended with an error");
            }
            code
        }
        Ok(Err(failed)) => {
            lifecycle.set_errno(failed.errno);
            fail(&lifecycle, &failed.why, exit_code::SOFTWARE)
        }
        Err(panic) => {
            let why = format!("main panicked: {}", message_of(panic.as_ref()));
            lifecycle.report_failure(&why);
            lifecycle.shut_down_failed(&why);
            ExitCode::from(exit_code::PANIC)
        }
    }
}

fn fail(lifecycle: &Lifecycle, why: &str, code: u8) -> ExitCode {
    lifecycle.report_failure(why);
    lifecycle.shut_down_failed(why);
    print(lifecycle.name(), why);
    ExitCode::from(code)
}

pub(super) fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is no text")
}
