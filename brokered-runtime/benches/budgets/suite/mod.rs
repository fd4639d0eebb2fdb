//! The benchmark suite: runs the selected rows, and prints the table.

mod arguments;
mod machine;
mod process;
mod programs;
mod rows;
mod scratch;
mod stats;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use brokered_runtime::Daemon;

use arguments::Arguments;
use programs::Programs;
use scratch::Scratch;
use table::{Finding, Line};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The identities of the daemons that are measured.
const HELLO: Daemon = Daemon::new("hello");
const ECHO: Daemon = Daemon::new("echo");

/// The context of every row.
#[derive(Debug)]
struct Bench {
    arguments: Arguments,
    programs: Programs,
    scratch: Scratch,
    /// The number of cores that this process may use while no thread is pinned.
    cores: usize,
}

impl Bench {
    /// The endpoint of `daemon` in the runtime directory `runtime`. Its relative path is as in this process's own.
    fn endpoint(&self, daemon: Daemon, runtime: &Path) -> Result<PathBuf> {
        let own = daemon.instance().endpoint()?;
        Ok(runtime.join(own.strip_prefix(self.scratch.base())?))
    }
}

pub(super) fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("budgets: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    if arguments.list {
        for row in rows::ALL {
            println!("{:<14} {}", row.name, row.description);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.bench {
        println!("budgets: run `cargo bench -p brokered-runtime --bench budgets`");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(scratch) = Scratch::from_environment() else {
        let status = Scratch::run_this_program_again()?;
        return Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    };
    process::adopt_orphans();
    let programs = Programs::build()?;
    let machine = machine::describe(scratch.path());
    let other_load = machine::OtherLoad::start();
    let bench = Bench {
        arguments,
        programs,
        scratch,
        cores: machine::cores(),
    };
    let selected = rows::ALL
        .iter()
        .filter(|row| bench.arguments.selects(row.name, row.description));
    let lines: Vec<Line> = selected
        .map(|row| {
            eprintln!("{} ...", row.name);
            let finding: Result<Finding> = (row.measure)(&bench);
            Line {
                name: row.name,
                description: row.description,
                baseline: row.baseline,
                finding: finding.map_err(|error| error.to_string()),
            }
        })
        .collect();
    println!("{machine}");
    if let Some(share) = other_load.and_then(|load| load.share(bench.cores)) {
        let advice = if share > 0.05 {
            ": repeat this on an idle machine"
        } else {
            ""
        };
        println!(
            "other processes took {:.0} % of the cores{advice}",
            share * 100.0
        );
    }
    println!();
    table::print(&lines, bench.arguments.markdown);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::cast_precision_loss, reason = "2^52 nanoseconds are 52 days")]
fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}
