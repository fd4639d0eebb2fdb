//! Thundering herds of cold client processes. The program `herd` runs, counts and times them.

use std::process::Command;

use crate::suite::stats::median;
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, Result};

/// The figures of one herd, as `herd --plain` prints them.
#[derive(Debug)]
struct Figures {
    clients: f64,
    daemons: usize,
    second_daemons: usize,
    failures: usize,
    slowest: f64,
    /// The time from the release to the end of the last client, as the median of all rounds.
    total: f64,
}

impl Figures {
    fn write(&self) -> String {
        let plural = if self.daemons == 1 { "" } else { "s" };
        format!(
            "{} daemon{plural}, {} failed, {}",
            self.daemons,
            self.failures,
            Unit::Time.write(self.total)
        )
    }
}

/// A hundred clients over the stale files of a killed daemon.
pub(super) fn stale(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(100);
    let ours = run_herd(bench, "stale", "100", "brokered", rounds)?;
    let baseline = run_herd(bench, "stale", "100", "gpg-agent", rounds.min(10))?;
    let ours = ours.first().ok_or("no figures from herd")?;
    let baseline = baseline.first();
    let kept = ours.daemons == 1 && ours.second_daemons == 0 && ours.failures == 0;
    let finding = Finding::counts(
        ours.write(),
        baseline.map_or_else(|| "gpg-agent is not installed".to_owned(), Figures::write),
        "1 daemon, 0 failures",
        kept,
        rounds,
    );
    let slowest = |figures: &Figures| Unit::Time.write(figures.slowest);
    Ok(finding
        .note("the time is from the release to the end of the last client, including its exec, as the median")
        .note(format!(
            "the slowest client of all rounds: {} (ours), {} (gpg-agent)",
            slowest(ours),
            baseline.map_or_else(|| "–".to_owned(), slowest)
        )))
}

/// The time for each client in a large herd, compared with a small one.
pub(super) fn cost(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(20);
    let mut larger = Vec::new();
    let mut largest = Vec::new();
    let mut per_client = |clients: &str| -> Result<f64> {
        let rows = run_herd(bench, "cold", clients, "brokered", 1)?;
        let figures = rows.first().ok_or("no figures from herd")?;
        if figures.daemons != 1 || figures.failures != 0 {
            return Err(format!("the herd was not served by one daemon: {figures:?}").into());
        }
        match clients {
            "100" => larger.push(figures.total / figures.clients),
            "400" => largest.push(figures.slowest),
            _ => {}
        }
        Ok(figures.total / figures.clients)
    };
    let mut pairs = Pairs::default();
    for _ in 0..rounds {
        pairs.baseline.push(per_client("10")?);
        per_client("100")?;
        pairs.ours.push(per_client("400")?);
    }
    Ok(
        Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.2)).note(format!(
            "for each client, including the daemon's start; with 100 clients: {}; the slowest of 400: {}",
            Unit::Time.write(median(&larger)),
            Unit::Time.write(median(&largest)),
        )),
    )
}

fn run_herd(
    bench: &Bench,
    case: &str,
    clients: &str,
    implementation: &str,
    rounds: usize,
) -> Result<Vec<Figures>> {
    let output = Command::new(bench.programs.path("herd"))
        .args(["--plain", "--cases", case, "--clients", clients])
        .args([
            "--implementations",
            implementation,
            "--rounds",
            &rounds.to_string(),
        ])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines().map(|line| line.split('\t'));
    let headings: Vec<&str> = lines
        .next()
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?
        .collect();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.collect();
            let cell = |heading: &str| -> Result<&str> {
                let column = headings.iter().position(|each| *each == heading);
                let cell = column.and_then(|column| cells.get(column).copied());
                Ok(cell.ok_or_else(|| format!("no column {heading} from herd"))?)
            };
            Ok(Figures {
                clients: cell("clients")?.parse()?,
                daemons: cell("daemons")?.parse()?,
                second_daemons: cell("second daemons")?.parse()?,
                failures: cell("failures")?.parse()?,
                slowest: cell("slowest")?.parse()?,
                total: cell("total")?.parse()?,
            })
        })
        .collect()
}
