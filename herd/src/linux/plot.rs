//! A plot of the distribution of the clients' times.
//!
//! It has a panel for each case and size of herd. A panel shows, for each implementation, the share of clients that had
//! their reply by a time, on a logarithmic axis.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::Result;
use super::arguments::Case;
use super::implementation::Implementation;
use super::statistics::Statistics;

const LEFT: f64 = 92.0;
const TOP: f64 = 84.0;
const WIDTH: f64 = 188.0;
const HEIGHT: f64 = 130.0;
const GAP: f64 = 18.0;
const BELOW: f64 = 66.0;

/// The number of points of a curve.
const POINTS: usize = 120;

const STYLE: &str = "\
    svg { font: 13px system-ui, sans-serif; } text { fill: #1f2328; } .quiet { fill: #59636e; font-size: 12px; }
    .frame { fill: none; stroke: #8c959f; } .grid { stroke: #8c959f; stroke-opacity: 0.3; }
    .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
    .brokered { stroke: #0969da; } .gpg-agent { stroke: #bc4c00; stroke-dasharray: 6 3; } .tmux { stroke: #1a7f37; stroke-dasharray: 2 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .frame { stroke: #656c76; } .grid { stroke: #656c76; stroke-opacity: 0.4; }
      .brokered { stroke: #4493f8; } .gpg-agent { stroke: #db6d28; } .tmux { stroke: #3fb950; }
    }";

/// The axes that all panels share.
struct Axes {
    cases: Vec<Case>,
    sizes: Vec<usize>,
    /// The first and the last power of ten milliseconds.
    from: i32,
    to: i32,
}

/// Writes the plot to a file.
pub(super) fn write(path: &Path, all_statistics: &[Statistics]) -> Result<()> {
    let axes = Axes::of(all_statistics);
    let mut svg = String::new();
    axes.begin(&mut svg)?;
    for (row, &case) in axes.cases.iter().enumerate() {
        for (column, &clients) in axes.sizes.iter().enumerate() {
            let here: Vec<&Statistics> = all_statistics
                .iter()
                .filter(|statistics| statistics.case == case && statistics.clients == clients)
                .collect();
            axes.panel(&mut svg, (column, row), &here)?;
        }
    }
    svg.push_str("</svg>\n");
    Ok(std::fs::write(path, svg)?)
}

impl Axes {
    fn of(all_statistics: &[Statistics]) -> Self {
        let times = || {
            all_statistics
                .iter()
                .flat_map(|statistics| &statistics.times)
                .copied()
        };
        let mut sizes: Vec<usize> = all_statistics
            .iter()
            .map(|statistics| statistics.clients)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let is_measured = |case: &Case| {
            all_statistics
                .iter()
                .any(|statistics| statistics.case == *case)
        };
        #[expect(clippy::cast_possible_truncation, reason = "a small power of ten")]
        let power = |time: Option<Duration>, round: fn(f64) -> f64| {
            round(exponent(time.unwrap_or(Duration::from_millis(1)))) as i32
        };
        let from = power(times().min(), f64::floor);
        Self {
            cases: Case::ALL.into_iter().filter(is_measured).collect(),
            sizes,
            from,
            to: power(times().max(), f64::ceil).max(from + 1),
        }
    }

    fn begin(&self, svg: &mut String) -> Result<()> {
        let columns = count(self.sizes.len());
        let rows = count(self.cases.len());
        let width = LEFT + columns * (WIDTH + GAP) + 6.0;
        let height = TOP + rows * (HEIGHT + GAP) - GAP + BELOW;
        writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-labelledby="title description">
  <title id="title">Times of the clients of a thundering herd</title>
  <desc id="description">For herds of several sizes, and for brokered, gpg-agent and tmux: the share of clients that had their reply, over the time since their release.</desc>
  <style>
{STYLE}
  </style>
  <text x="{LEFT}" y="22" font-weight="600">Clients that are released at one instant: share with a reply, over time</text>"#
        )?;
        for (nth, implementation) in Implementation::ALL.into_iter().enumerate() {
            let x = LEFT + count(nth) * 130.0;
            let name = implementation.name();
            writeln!(
                svg,
                r#"  <path class="curve {name}" d="M{x:.0} 42h30"/><text x="{:.0}" y="46">{name}</text>"#,
                x + 36.0
            )?;
        }
        let middle = LEFT + columns * (WIDTH + GAP) / 2.0;
        let across = TOP + (height - TOP - BELOW) / 2.0;
        writeln!(
            svg,
            r#"  <text x="{middle:.0}" y="{:.0}" text-anchor="middle">time from the release to the client's exit, including its exec (ms, logarithmic)</text>
  <text transform="translate(16 {across:.0}) rotate(-90)" text-anchor="middle">share of clients (%)</text>"#,
            height - 14.0
        )?;
        Ok(())
    }

    fn panel(
        &self,
        svg: &mut String,
        (column, row): (usize, usize),
        here: &[&Statistics],
    ) -> Result<()> {
        let left = LEFT + count(column) * (WIDTH + GAP);
        let top = TOP + count(row) * (HEIGHT + GAP);
        let bottom = top + HEIGHT;
        if row == 0 {
            let clients = self.sizes[column];
            let plural = if clients == 1 { "" } else { "s" };
            writeln!(
                svg,
                r#"  <text x="{:.0}" y="{:.0}" text-anchor="middle">{clients} client{plural}</text>"#,
                left + WIDTH / 2.0,
                top - 10.0
            )?;
        }
        if column == 0 {
            for (y, share) in [(bottom, "0"), (bottom - HEIGHT / 2.0, "50"), (top, "100")] {
                writeln!(
                    svg,
                    r#"  <text class="quiet" x="{:.0}" y="{:.0}" text-anchor="end">{share}</text>"#,
                    left - 6.0,
                    y + 4.0
                )?;
            }
            writeln!(
                svg,
                r#"  <text transform="translate({:.0} {:.0}) rotate(-90)" text-anchor="middle" font-weight="600">{}</text>"#,
                left - 42.0,
                top + HEIGHT / 2.0,
                self.cases[row].name()
            )?;
        }
        let half = bottom - HEIGHT / 2.0;
        writeln!(
            svg,
            r#"  <path class="grid" d="M{left:.0} {half:.1}h{WIDTH}"/>"#
        )?;
        for power in self.from..=self.to {
            let x = left + self.horizontal(f64::from(power));
            if power > self.from && power < self.to {
                writeln!(
                    svg,
                    r#"  <path class="grid" d="M{x:.1} {top:.0}v{HEIGHT}"/>"#
                )?;
            }
            // At the border between two panels, the right panel has the label.
            if row + 1 == self.cases.len() && (power < self.to || column + 1 == self.sizes.len()) {
                writeln!(
                    svg,
                    r#"  <text class="quiet" x="{x:.1}" y="{:.0}" text-anchor="middle">{}</text>"#,
                    bottom + 17.0,
                    10_f64.powi(power)
                )?;
            }
        }
        for statistics in here {
            let curve = self.curve(&statistics.times, left, bottom);
            writeln!(
                svg,
                r#"  <path class="curve {}" d="{curve}"/>"#,
                statistics.implementation.name()
            )?;
        }
        writeln!(
            svg,
            r#"  <rect class="frame" x="{left:.0}" y="{top:.0}" width="{WIDTH}" height="{HEIGHT}"/>"#
        )?;
        Ok(())
    }

    /// The path of the cumulative distribution of the sorted times.
    fn curve(&self, times: &[Duration], left: f64, bottom: f64) -> String {
        let mut path = String::new();
        let step = (times.len() / POINTS).max(1);
        let last = times.len().saturating_sub(1);
        for (nth, time) in times.iter().enumerate() {
            if nth % step != 0 && nth != last {
                continue;
            }
            let x = left + self.horizontal(exponent(*time));
            let y = bottom - HEIGHT * count(nth + 1) / count(times.len());
            if path.is_empty() {
                let _ = write!(path, "M{x:.1} {bottom:.1}");
            }
            let _ = write!(path, "H{x:.1}V{y:.1}");
        }
        path
    }

    /// The horizontal position of a time, by its power of ten milliseconds.
    fn horizontal(&self, exponent: f64) -> f64 {
        WIDTH * (exponent - f64::from(self.from)) / f64::from(self.to - self.from)
    }
}

fn exponent(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).max(1e-3).log10()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}
