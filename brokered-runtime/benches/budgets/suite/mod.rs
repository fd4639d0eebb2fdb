//! The rows, and what measures them.

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

/// The identities of the daemons beside this program.
const HELLO: Daemon = Daemon::new("hello");
const ECHO: Daemon = Daemon::new("echo");

/// What every row is given.
#[derive(Debug)]
struct Bench {
    arguments: Arguments,
    programs: Programs,
    scratch: Scratch,
    /// That this process may use while none of its threads is kept to one.
    cores: usize,
}

impl Bench {
    /// Where `daemon` listens when `runtime` is its runtime directory: as in this process's own, moved.
    fn endpoint(&self, daemon: Daemon, runtime: &Path) -> Result<PathBuf> {
        let here = daemon.instance().endpoint()?;
        Ok(runtime.join(here.strip_prefix(self.scratch.base())?))
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
            println!("{:<14} {}", row.name, row.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.bench {
        println!("budgets: `cargo bench -p brokered-runtime --bench budgets` measures");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(scratch) = Scratch::from_environment() else {
        let status = Scratch::around_this_program()?;
        return Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    };
    process::adopt_orphans();
    let programs = Programs::build()?;
    let machine = machine::describe(scratch.path());
    let others = machine::Others::watch();
    let bench = Bench {
        arguments,
        programs,
        scratch,
        cores: machine::cores(),
    };
    let wanted = rows::ALL
        .iter()
        .filter(|row| bench.arguments.wants(row.name, row.what));
    let lines: Vec<Line> = wanted
        .map(|row| {
            eprintln!("{} ...", row.name);
            let found: Result<Finding> = (row.measure)(&bench);
            Line {
                name: row.name,
                what: row.what,
                against: row.against,
                found: found.map_err(|error| error.to_string()),
            }
        })
        .collect();
    println!("{machine}");
    if let Some(share) = others.and_then(|others| others.share(bench.cores)) {
        let advice = if share > 0.05 {
            ": repeat this when it is quiet"
        } else {
            ""
        };
        println!(
            "others took {:.0} % of the cores meanwhile{advice}",
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
