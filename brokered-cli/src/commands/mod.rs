//! The commands, a file each.

mod daemons;
mod doctor;
mod extras;
mod log;
mod path;
mod start;
mod status;
mod stop;
mod trace;
mod unit;
mod wait;

use crate::arguments::{Arguments, Command};
use crate::screen::Screen;
use crate::trouble::Trouble;

pub(crate) use status::said_precisely;

/// Carries a command out. Its exit code, if nothing went wrong on the way.
pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Trouble> {
    match &arguments.command {
        Command::List(list) => daemons::list(list, screen),
        Command::Status(ask) => status::status(ask, screen),
        Command::Start(start) => start::start(start, screen),
        Command::Stop(stop) => stop::stop(stop, screen),
        Command::Restart(restart) => stop::restart(restart, screen),
        Command::Wait(wait) => wait::wait(wait, screen),
        Command::Probe(probe) => wait::probe(probe, screen),
        Command::Log(log) => log::log(log, screen),
        Command::Path(path) => path::path(path, screen),
        Command::Trace(trace) => trace::trace(trace, screen),
        Command::Doctor(doctor) => doctor::doctor(doctor, screen),
        Command::Unit(unit) => unit::unit(unit, screen),
        Command::Completions { shell } => extras::completions(*shell, screen),
        Command::Man => extras::man(screen),
    }
}
