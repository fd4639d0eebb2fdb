//! The findings of the rows, and the table that shows them.

use super::stats::{Ratio, median};

/// The unit of a row's figures.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    /// Nanoseconds.
    Time,
    /// Requests per second.
    Rate,
    /// KiB.
    Memory,
    /// Seconds of CPU time.
    Cpu,
}

impl Unit {
    pub(super) fn write(self, value: f64) -> String {
        match self {
            Self::Time if value < 100_000.0 => format!("{:.1} µs", value / 1e3),
            Self::Time if value < 10_000_000.0 => format!("{:.0} µs", value / 1e3),
            Self::Time => format!("{:.1} ms", value / 1e6),
            Self::Rate => format!("{value:.0}/s"),
            Self::Memory => format!("{value:.0} KiB"),
            Self::Cpu => format!("{value:.2} s"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Budget {
    AtMost(f64),
    AtLeast(f64),
}

impl Budget {
    fn keeps(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
        }
    }

    fn write(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most} ×"),
            Self::AtLeast(least) => format!("≥ {least} ×"),
        }
    }
}

/// The finding of a row: the cells of its line, and the notes below the table.
#[derive(Debug)]
pub(super) struct Finding {
    ours: String,
    baseline: String,
    ratio: String,
    budget: String,
    kept: bool,
    rounds: usize,
    notes: Vec<String>,
}

impl Finding {
    /// Two sides that were measured in turn.
    pub(super) fn pairs(unit: Unit, pairs: &Pairs, budget: Budget) -> Self {
        let ratio = median(&pairs.ours) / median(&pairs.baseline);
        Self {
            ours: unit.write(median(&pairs.ours)),
            baseline: unit.write(median(&pairs.baseline)),
            ratio: pairs.ratio(),
            budget: budget.write(),
            kept: budget.keeps(ratio),
            rounds: pairs.ours.len(),
            notes: Vec::new(),
        }
    }

    /// A figure and a fixed baseline.
    pub(super) fn fixed(
        unit: Unit,
        ours: f64,
        baseline: f64,
        budget: Budget,
        rounds: usize,
    ) -> Self {
        Self {
            ours: unit.write(ours),
            baseline: unit.write(baseline),
            ratio: format!("{:.4}", ours / baseline),
            budget: budget.write(),
            kept: budget.keeps(ours / baseline),
            rounds,
            notes: Vec::new(),
        }
    }

    /// Counts, which have no ratio.
    pub(super) fn counts(
        ours: String,
        baseline: String,
        budget: &str,
        kept: bool,
        rounds: usize,
    ) -> Self {
        Self {
            ours,
            baseline,
            ratio: "–".into(),
            budget: budget.into(),
            kept,
            rounds,
            notes: Vec::new(),
        }
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// The two sides of a row, sample by sample.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) ours: Vec<f64>,
    pub(super) baseline: Vec<f64>,
}

impl Pairs {
    /// Measures both sides in turn, after a few rounds of warm-up. The order changes each round, so that no side always runs
    /// after the other.
    pub(super) fn measure(
        rounds: usize,
        mut ours: impl FnMut() -> super::Result<f64>,
        mut baseline: impl FnMut() -> super::Result<f64>,
    ) -> super::Result<Self> {
        let warm_up = (rounds / 20).min(20);
        let mut pairs = Self::default();
        for round in 0..warm_up + rounds {
            let (our_sample, baseline_sample) = if round % 2 == 0 {
                let first = ours()?;
                (first, baseline()?)
            } else {
                let first = baseline()?;
                (ours()?, first)
            };
            if round >= warm_up {
                pairs.ours.push(our_sample);
                pairs.baseline.push(baseline_sample);
            }
        }
        Ok(pairs)
    }

    /// The ratio as the table shows it.
    pub(super) fn ratio(&self) -> String {
        let ratio = Ratio::of_pairs(&self.ours, &self.baseline);
        format!("{:.3} ({:.3}–{:.3})", ratio.value, ratio.low, ratio.high)
    }
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) baseline: &'static str,
    /// The finding, or why the row was not measured.
    pub(super) finding: Result<Finding, String>,
}

const HEADINGS: [&str; 9] = [
    "row",
    "description",
    "baseline",
    "ours",
    "baseline's",
    "ratio (95 %)",
    "budget",
    "verdict",
    "rounds",
];

pub(super) fn print(lines: &[Line], markdown: bool) {
    let cells: Vec<[String; 9]> = lines.iter().map(cells).collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|line| line[column].chars().count());
        widths
            .chain([HEADINGS[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 9] = std::array::from_fn(width);
    let write = |line: [&str; 9]| {
        let mut padded = Vec::with_capacity(9);
        for (cell, width) in line.into_iter().zip(widths) {
            padded.push(format!("{cell:<width$}"));
        }
        if markdown {
            format!("| {} |", padded.join(" | "))
        } else {
            padded.join("  ").trim_end().to_owned()
        }
    };
    println!("{}", write(HEADINGS));
    if markdown {
        println!("|{}|", ["---"; 9].join("|"));
    }
    for line in &cells {
        println!("{}", write(line.each_ref().map(String::as_str)));
    }
    println!();
    for line in lines {
        match &line.finding {
            Ok(finding) => {
                for note in &finding.notes {
                    println!("{}{}: {note}", if markdown { "- " } else { "" }, line.name);
                }
            }
            Err(reason) => println!(
                "{}{}: not measured: {reason}",
                if markdown { "- " } else { "" },
                line.name
            ),
        }
    }
}

fn cells(line: &Line) -> [String; 9] {
    let (name, description, baseline) = (
        line.name.to_owned(),
        line.description.to_owned(),
        line.baseline.to_owned(),
    );
    let Ok(finding) = &line.finding else {
        let none = || "–".to_owned();
        let verdict = "not measured".to_owned();
        return [
            name,
            description,
            baseline,
            none(),
            none(),
            none(),
            none(),
            verdict,
            none(),
        ];
    };
    [
        name,
        description,
        baseline,
        finding.ours.clone(),
        finding.baseline.clone(),
        finding.ratio.clone(),
        finding.budget.clone(),
        if finding.kept {
            "kept".into()
        } else {
            "MISSED".into()
        },
        finding.rounds.to_string(),
    ]
}
