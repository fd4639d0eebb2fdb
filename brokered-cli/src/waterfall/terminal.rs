//! The steps as a table with bars.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use super::steps::Waterfall;
use crate::duration::format_precise;
use crate::style::{self, styled};

/// The greatest length of all bars together.
const MAX_BARS: usize = 80;

/// The least length at which bars say something.
const MIN_BARS: usize = 8;

/// The width of a time, and the gap before it.
const TIME: usize = 8;
const GAP: usize = 2;

impl Waterfall {
    /// The text for a terminal of this width, or for a file.
    pub(crate) fn to_text(&self, width: Option<usize>) -> String {
        let names = self.steps().iter().map(|step| step.name.width());
        let name_width = names.max().unwrap_or_default();
        let width = width.unwrap_or(MAX_BARS);
        let before_bars = name_width + GAP + TIME + GAP + TIME + GAP;
        let parts = width.saturating_sub(before_bars).min(MAX_BARS);
        let is_narrow = width < before_bars;
        let mut text = String::new();
        if !is_narrow {
            let heading = format!("{:name_width$}  {:>TIME$}  {:>TIME$}", "STEP", "AT", "TOOK");
            let _ = writeln!(text, "{}", styled(style::HEADING, heading));
        }
        for step in self.steps() {
            let name = &step.name;
            let space = name_width - name.width();
            let from = format_precise(self.offset(step.from));
            let took = match step.duration() {
                Duration::ZERO => String::new(),
                took => format_precise(took),
            };
            if is_narrow {
                let _ = writeln!(text, "{name}\n {}", format!("{from} {took}").trim_end());
                continue;
            }
            let mut line = format!("{name}{:space$}  {from:>TIME$}  {took:>TIME$}", "");
            if parts >= MIN_BARS {
                let (begin, length) = self.bar(step, parts);
                let bar = if step.duration().is_zero() {
                    styled(style::OK, "│")
                } else {
                    styled(style::BAR, "█".repeat(length))
                };
                let _ = write!(line, "  {:begin$}{bar}", "");
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::steps::{Step, tests::waterfall};
    use super::*;

    #[test]
    fn every_line_fits_at_every_width_and_for_every_clock() {
        let mut waterfall = waterfall();
        let began = SystemTime::UNIX_EPOCH;
        // The clock was set back in the middle.
        waterfall.push(Step::new("漢字", began, began - Duration::from_secs(9)));
        waterfall.push(Step::new("early", began - Duration::from_secs(9), began));
        for width in 0..200 {
            let text = waterfall.to_text(Some(width));
            assert!(text.contains("first reply"));
            for line in anstream::adapter::strip_str(&text).to_string().lines() {
                assert!(!line.ends_with(' '), "{width}: {line}");
                assert!(width < 60 || line.width() <= width, "{width}: {line}");
            }
        }
    }
}
