//! The three roles of this executable: daemon, client, and what lets a herd of clients go.

mod arguments;
mod burst;
mod client;
mod daemon;
mod killer;
mod orphans;
mod plot;
mod round;
mod sides;
mod tally;

use std::process::ExitCode;

use brokered_runtime::Daemon;

use arguments::{Arguments, Case};
use sides::Side;
use tally::Tally;

pub(crate) use daemon::serve;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The daemon that the herd is after.
pub(crate) const HERD: Daemon = Daemon::new("herd");

/// Where daemons note themselves.
const NOTES: &str = "HERD_NOTES";

/// What runs in a process that is not the daemon.
pub(crate) fn cli() -> ExitCode {
    let mut given = std::env::args().skip(1).peekable();
    let done = if given.next_if_eq("client").is_some() {
        client::run().map(|()| true)
    } else {
        let arguments = Arguments::parse(given);
        arguments.and_then(|arguments| let_go(&arguments))
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("herd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All herds, one after the other. Whether ours had one owner each and no failure.
fn let_go(arguments: &Arguments) -> Result<bool> {
    orphans::adopt()?;
    let sides: Vec<Side> = arguments
        .sides
        .iter()
        .copied()
        .filter(|side| {
            let there = side.is_installed();
            if !there {
                eprintln!("herd: {} is not installed", side.name());
            }
            there
        })
        .collect();
    let mut tallies = Vec::new();
    tally::print_headings(arguments.plain);
    for &case in &arguments.cases {
        for &clients in &arguments.clients {
            let here: Vec<Side> = sides
                .iter()
                .copied()
                .filter(|side| case != Case::Killed || side.has_a_killer())
                .collect();
            let mut of_each: Vec<Tally> = here
                .iter()
                .map(|&side| Tally::new(side, case, clients))
                .collect();
            // In turns, so that what else the machine does meets all sides alike.
            for nth in 0..arguments.rounds {
                for tally in &mut of_each {
                    round::run(tally, nth)?;
                }
            }
            for tally in of_each {
                tally.print(arguments.plain);
                tallies.push(tally);
            }
        }
    }
    if let Some(path) = &arguments.plot {
        plot::write(path, &tallies)?;
    }
    Ok(tallies
        .iter()
        .all(|tally| tally.side != Side::Brokered || tally.is_supervised()))
}
