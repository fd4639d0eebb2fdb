//! A daemon's life, in the order of the protocol. This is what the attribute's `main` calls.

use std::any::Any;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::adopt::{self, HandedOver};
use super::announce::announce;
use super::bound::{Bound, prove};
use super::error::{StartError, exit_code};
use super::help;
use super::hold::{self, Held};
use super::lifecycle::Lifecycle;
use super::shutdown;
use super::state::LoadFailed;
use crate::handover::Event;
use crate::identity::paths::Paths;
use crate::identity::serve_from_here;
use crate::platform::{self, Uptime};
use crate::record::{Owner, Record};
use crate::text::say;
use crate::{Daemon, Instance, IpcListener};

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
    let entry = platform::uptime();
    let daemon = program.daemon;
    if ENTERED.swap(true, Ordering::AcqRel) {
        say(
            daemon.name(),
            "main was entered a second time; a process becomes a daemon once",
        );
        process::exit(i32::from(exit_code::SOFTWARE));
    }
    serve_from_here(daemon);
    let launched = adopt::is_announced();
    match cli {
        Some(cli) if !launched && !adopt::is_told_to_be_the_daemon() => cli(),
        Some(_) => serve(program, launched, entry, body),
        None => match help::answer(program).filter(|_| !launched) {
            Some(answer) => print(&answer),
            None => serve(program, launched, entry, body),
        },
    }
}

fn print(answer: &str) -> ExitCode {
    match std::io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(
    program: &Program,
    launched: bool,
    entry: Option<Uptime>,
    body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>,
) -> ExitCode {
    match start(program, launched, entry) {
        Ok(bound) => live(bound, body),
        Err(error) => {
            say(program.daemon.name(), &error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Steps 0 to 4, and the keeper, which is there before anybody can know whom to send a signal.
fn start(program: &Program, launched: bool, entry: Option<Uptime>) -> Result<Bound, StartError> {
    let (mut held, listener) = if launched {
        start_launched(program)?
    } else {
        start_by_hand(program)?
    };
    held.entry = entry;
    let owner = held.record.owner;
    let lifecycle = Arc::new(Lifecycle::new(held, &listener)?);
    if let Err(error) = keep_and_record(&lifecycle) {
        lifecycle.tell(&Event::Failed(error.to_string()));
        lifecycle.let_go();
        return Err(error);
    }
    if owner == Owner::Hand {
        announce(program.daemon.name(), lifecycle.socket());
    }
    Ok(prove(listener, lifecycle))
}

fn keep_and_record(lifecycle: &Arc<Lifecycle>) -> Result<(), StartError> {
    shutdown::keep(lifecycle).map_err(|source| StartError::Signals { source })?;
    lifecycle.record()
}

/// Steps 0 to 3 of a daemon that a launcher has started.
fn start_launched(program: &Program) -> Result<(Held, IpcListener), StartError> {
    adopt::shed_inheritance();
    let mut handed_over = adopt::take_over()?;
    let (instance, paths, listener) =
        bind_launched(program, &mut handed_over).inspect_err(|error| {
            // The log may be where there is no space. A launcher that is gone does not need to know.
            let _ = handed_over
                .channel
                .tell(&Event::Failed(error.to_string()).to_line());
        })?;
    let mut record = record(program, &instance, &paths);
    record.owner = Owner::Launcher;
    record.log = Some(handed_over.message.log);
    let held = Held {
        instance,
        paths,
        lock: handed_over.lock,
        record,
        channel: Some(handed_over.channel),
        entry: None,
        #[cfg(feature = "testing")]
        scratch: None,
    };
    Ok((held, listener))
}

fn bind_launched(
    program: &Program,
    handed_over: &mut HandedOver,
) -> Result<(Instance, Paths, IpcListener), StartError> {
    let instance = handed_over.instance_of(program.daemon)?;
    let paths = instance.paths()?.clone();
    paths.check()?;
    let listener = hold::bind(handed_over.listener.take(), &paths, &handed_over.lock)?;
    Ok((instance, paths, listener))
}

/// Steps 1 to 3 of a daemon that was started by hand.
fn start_by_hand(program: &Program) -> Result<(Held, IpcListener), StartError> {
    let instance = adopt::instance_by_hand(program.daemon);
    let paths = instance.paths()?.clone();
    let lock = hold::take_lock(&paths)?;
    let listener = hold::bind(None, &paths, &lock)?;
    let record = record(program, &instance, &paths);
    let held = Held {
        instance,
        paths,
        lock,
        record,
        channel: None,
        entry: None,
        #[cfg(feature = "testing")]
        scratch: None,
    };
    Ok((held, listener))
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
            lifecycle.ask_to_stop();
            lifecycle.wait_for_connections();
            lifecycle.let_go();
            code
        }
        Ok(Err(failed)) => {
            lifecycle.let_go_failed(&failed.why);
            say(lifecycle.name(), &failed.why);
            ExitCode::from(exit_code::SOFTWARE)
        }
        Err(panic) => {
            lifecycle.let_go_failed(&format!("main panicked: {}", message_of(panic.as_ref())));
            ExitCode::from(exit_code::PANIC)
        }
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is no text")
}
