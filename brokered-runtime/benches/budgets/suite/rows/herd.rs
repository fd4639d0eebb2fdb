//! Herds of client processes, none of which finds a daemon: let go, counted and timed by the program `herd`.

use std::process::Command;

use crate::suite::stats::median;
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, Result};

/// What `herd --plain` tells of all rounds of one herd.
#[derive(Debug)]
struct Figures {
    clients: f64,
    owners: usize,
    second_owners: usize,
    failures: usize,
    slowest: f64,
    /// From the release to the end of the last client, the median of all rounds.
    total: f64,
}

impl Figures {
    fn write(&self) -> String {
        let plural = if self.owners == 1 { "" } else { "s" };
        format!(
            "{} daemon{plural}, {} failed, {}",
            self.owners,
            self.failures,
            Unit::Time.write(self.total)
        )
    }
}

/// A hundred clients over what a killed daemon has left behind.
pub(super) fn stale(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(100);
    let ours = let_go(bench, "stale", "100", "brokered", rounds)?;
    let theirs = let_go(bench, "stale", "100", "gpg-agent", rounds.min(10))?;
    let ours = ours.first().ok_or("herd has told nothing")?;
    let baseline = theirs.first();
    let kept = ours.owners == 1 && ours.second_owners == 0 && ours.failures == 0;
    let finding = Finding::counts(
        ours.write(),
        baseline.map_or_else(|| "gpg-agent is not installed".to_owned(), Figures::write),
        "1 daemon, 0 failures",
        kept,
        rounds,
    );
    let slowest = |figures: &Figures| Unit::Time.write(figures.slowest);
    Ok(finding
        .note("time is from letting the herd go to the end of its last client, exec included, the median")
        .note(format!(
            "the slowest client of all: {} (ours), {} (gpg-agent)",
            slowest(ours),
            baseline.map_or_else(|| "–".to_owned(), slowest)
        )))
}

/// What a client costs in a large herd, beside a small one.
pub(super) fn cost(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(20);
    let mut larger = Vec::new();
    let mut largest = Vec::new();
    let mut per_client = |clients: &str| -> Result<f64> {
        let told = let_go(bench, "cold", clients, "brokered", 1)?;
        let figures = told.first().ok_or("herd has told nothing")?;
        if figures.owners != 1 || figures.failures != 0 {
            return Err(format!("that herd was not served: {figures:?}").into());
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
            "for each client, the daemon's start included; of 100 at once: {}; the slowest of 400: {}",
            Unit::Time.write(median(&larger)),
            Unit::Time.write(median(&largest)),
        )),
    )
}

fn let_go(
    bench: &Bench,
    case: &str,
    clients: &str,
    side: &str,
    rounds: usize,
) -> Result<Vec<Figures>> {
    let output = Command::new(bench.programs.path("herd"))
        .args(["--plain", "--cases", case, "--clients", clients])
        .args(["--sides", side, "--rounds", &rounds.to_string()])
        .output()?;
    let told = String::from_utf8(output.stdout)?;
    let mut lines = told.lines().map(|line| line.split('\t'));
    let headings: Vec<&str> = lines
        .next()
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?
        .collect();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.collect();
            let cell = |heading: &str| -> Result<&str> {
                let place = headings.iter().position(|one| *one == heading);
                let cell = place.and_then(|place| cells.get(place).copied());
                Ok(cell.ok_or_else(|| format!("herd tells no {heading}"))?)
            };
            Ok(Figures {
                clients: cell("clients")?.parse()?,
                owners: cell("owners")?.parse()?,
                second_owners: cell("second owners")?.parse()?,
                failures: cell("failures")?.parse()?,
                slowest: cell("slowest")?.parse()?,
                total: cell("total")?.parse()?,
            })
        })
        .collect()
}
