//! The three roles of this executable: the daemon, a client, and the program that runs a herd of clients.

mod arguments;
mod client;
mod daemon;
mod fault_injector;
mod implementation;
mod orphaned_daemons;
mod plot;
mod round;
mod simultaneous_clients;
mod statistics;

use std::process::ExitCode;

use brokered_runtime::Daemon;

use arguments::{Arguments, Case};
use implementation::Implementation;
use statistics::Statistics;

pub(crate) use daemon::serve;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The daemon of the herd.
pub(crate) const HERD: Daemon = Daemon::new("herd");

/// The environment variable with the path of the daemons' log.
const LOG_VARIABLE: &str = "HERD_DAEMON_LOG";

/// The entry point of every process that is not the daemon.
pub(crate) fn cli() -> ExitCode {
    let mut given = std::env::args().skip(1).peekable();
    let passed = if given.next_if_eq("client").is_some() {
        client::run().map(|()| true)
    } else {
        let arguments = Arguments::parse(given);
        arguments.and_then(|arguments| run_herds(&arguments))
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("herd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all herds. Returns whether each herd of ours had one daemon and no failure.
fn run_herds(arguments: &Arguments) -> Result<bool> {
    orphaned_daemons::adopt()?;
    let implementations: Vec<Implementation> = arguments
        .implementations
        .iter()
        .copied()
        .filter(|implementation| {
            let is_installed = implementation.is_installed();
            if !is_installed {
                eprintln!("herd: {} is not installed", implementation.name());
            }
            is_installed
        })
        .collect();
    let mut all_statistics = Vec::new();
    statistics::print_headings(arguments.plain);
    for &case in &arguments.cases {
        for &clients in &arguments.clients {
            let selected: Vec<Implementation> = implementations
                .iter()
                .copied()
                .filter(|implementation| case != Case::Killed || implementation.supports_kills())
                .collect();
            let mut of_each: Vec<Statistics> = selected
                .iter()
                .map(|&implementation| Statistics::new(implementation, case, clients))
                .collect();
            // The implementations take turns, so that other load on the machine affects them alike.
            for nth in 0..arguments.rounds {
                for statistics in &mut of_each {
                    round::run(statistics, nth)?;
                }
            }
            for statistics in of_each {
                statistics.print(arguments.plain);
                all_statistics.push(statistics);
            }
        }
    }
    if let Some(path) = &arguments.plot {
        plot::write(path, &all_statistics)?;
    }
    Ok(all_statistics.iter().all(|statistics| {
        statistics.implementation != Implementation::Brokered || statistics.has_passed()
    }))
}
