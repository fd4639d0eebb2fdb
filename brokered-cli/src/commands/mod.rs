//! The commands, a file or a folder each.
//!
//! `list` and `status` only look; `start`, `stop` (with `restart`), `reload` and `wait` (with `probe`) control a daemon;
//! `trace` builds on both. `log` and `path` print files and where they are, `doctor` looks for problems, `prune`
//! removes the directories of instances that are no longer used, `unit` writes files for service managers, and
//! `generate` prints completions and the manual page.

mod doctor;
mod generate;
mod list;
mod log;
mod path;
mod prune;
mod reload;
mod start;
mod status;
mod stop;
mod trace;
mod unit;
mod wait;

use crate::arguments::{Arguments, Command};
use crate::error::CliError;
use crate::output::Output;

/// Runs the command. Returns its exit code.
pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<u8, CliError> {
    match &arguments.command {
        Command::List(list) => list::list(list, output),
        Command::Status(status) => status::status(status, output),
        Command::Start(start) => start::start(start, output),
        Command::Stop(stop) => stop::stop(stop, output),
        Command::Restart(restart) => stop::restart(restart, output),
        Command::Reload(reload) => reload::reload(reload, output),
        Command::Wait(wait) => wait::wait(wait, output),
        Command::Probe(probe) => wait::probe(probe, output),
        Command::Log(log) => log::log(log, output),
        Command::Path(path) => path::path(path, output),
        Command::Trace(trace) => trace::trace(trace, output),
        Command::Doctor(doctor) => doctor::doctor(doctor, output),
        Command::Prune(prune) => prune::prune(prune, output),
        Command::Unit(unit) => unit::unit(unit, output),
        Command::Completions { shell } => generate::completions(*shell, output),
        Command::Man => generate::man(output),
    }
}
