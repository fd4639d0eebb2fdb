//! [`Waterfall`]: what came when and took how long, drawn for a terminal and as SVG.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use unicode_width::UnicodeWidthStr;

use crate::commands::said_precisely;
use crate::output::{style, tame};

/// The widest that bars are drawn on a terminal.
const WIDEST: usize = 80;

/// What came when, in the order in which it is told.
#[derive(Debug)]
pub(crate) struct Waterfall {
    began: SystemTime,
    bars: Vec<Bar>,
}

/// One thing that took some time, or none.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
}

impl Bar {
    pub(crate) fn new(name: &str, from: SystemTime, to: SystemTime) -> Self {
        Self {
            name: tame(name),
            from,
            to: to.max(from),
        }
    }

    pub(crate) fn took(&self) -> Duration {
        self.to.duration_since(self.from).unwrap_or_default()
    }
}

impl Waterfall {
    pub(crate) fn beginning(began: SystemTime) -> Self {
        Self {
            began,
            bars: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, bar: Bar) {
        self.bars.push(bar);
    }

    pub(crate) fn bars(&self) -> &[Bar] {
        &self.bars
    }

    pub(crate) fn since_begin(&self, at: SystemTime) -> Duration {
        at.duration_since(self.began).unwrap_or_default()
    }

    /// From the beginning to the end of the last bar.
    pub(crate) fn total(&self) -> Duration {
        let ends = self.bars.iter().map(|bar| self.since_begin(bar.to));
        ends.max().unwrap_or_default()
    }

    /// Where a bar begins and how long it is, of so many parts.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a terminal's width"
    )]
    fn placed(&self, bar: &Bar, parts: usize) -> (usize, usize) {
        let total = self.total().as_secs_f64().max(1e-9);
        let part = |duration: Duration| duration.as_secs_f64() / total * parts as f64;
        let from = (part(self.since_begin(bar.from)) as usize).min(parts.saturating_sub(1));
        let to = part(self.since_begin(bar.to)).ceil() as usize;
        (from, to.clamp(from + 1, parts.max(from + 1)) - from)
    }

    /// For a terminal of this width, or for none.
    pub(crate) fn to_text(&self, room: Option<usize>) -> String {
        let names = self.bars.iter().map(|bar| bar.name.width());
        let name_width = names.max().unwrap_or_default();
        let room = room.unwrap_or(WIDEST);
        // Name, start, duration, and the gaps between them.
        let taken = name_width + 2 + 8 + 2 + 8 + 2;
        let parts = room.saturating_sub(taken).min(WIDEST);
        let mut text = String::new();
        let head = style::HEAD;
        if room >= taken {
            let _ = writeln!(
                text,
                "{head}{:name_width$}  {:>8}  {:>8}{head:#}",
                "STEP", "AT", "TOOK"
            );
        }
        for bar in &self.bars {
            let name = &bar.name;
            let space = name_width - name.width();
            let from = said_precisely(self.since_begin(bar.from));
            let took = match bar.took() {
                Duration::ZERO => String::new(),
                took => said_precisely(took),
            };
            if room < taken {
                let _ = writeln!(text, "{name}\n {from} {took}");
                continue;
            }
            let _ = write!(text, "{name}{:space$}  {from:>8}  {took:>8}", "");
            if parts >= 8 {
                let (begin, length) = self.placed(bar, parts);
                let (fill, color) = match bar.took() {
                    Duration::ZERO => ("│".to_owned(), style::GOOD),
                    _ => ("█".repeat(length), style::BAR),
                };
                let _ = write!(text, "  {:begin$}{color}{fill}{color:#}", "");
            }
            while text.ends_with(' ') {
                text.pop();
            }
            text.push('\n');
        }
        text
    }

    /// A drawing of its own.
    pub(crate) fn to_svg(&self, title: &str) -> String {
        const ROW: usize = 24;
        const NAMES: usize = 200;
        const BARS: usize = 600;
        const TIMES: usize = 100;
        let height = ROW * (self.bars.len() + 2) + 16;
        let width = NAMES + BARS + TIMES;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{0}</title>\n\
             <style>text {{ font: 13px sans-serif; fill: #222 }} .time {{ fill: #666 }} \
             .bar {{ fill: #3b75af }} .point {{ stroke: #2a8a3e; stroke-width: 2 }} \
             .grid {{ stroke: #ddd }}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"8\" y=\"20\" font-weight=\"bold\">{0}: {1}</text>\n",
            xml(title),
            said_precisely(self.total())
        );
        for quarter in 0..=4_u32 {
            let x = NAMES + BARS * quarter as usize / 4;
            let time = self.total() * quarter / 4;
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\"/>\n\
                 <text class=\"time\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                ROW + 8,
                height - ROW - 8,
                height - 12,
                said_precisely(time)
            );
        }
        for (index, bar) in self.bars.iter().enumerate() {
            let top = ROW * (index + 1) + 10;
            let (begin, length) = self.placed(bar, BARS);
            let x = NAMES + begin;
            let name = xml(&bar.name);
            let base = top + 14;
            let _ = writeln!(svg, "<text x=\"8\" y=\"{base}\">{name}</text>");
            let _ = if bar.took().is_zero() {
                writeln!(
                    svg,
                    "<line class=\"point\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{}\"/>",
                    top + 18
                )
            } else {
                let took = said_precisely(bar.took());
                // Behind the bar, or, where there is no room, before it.
                let (at, anchor) = if begin + length > BARS - 60 && begin > 80 {
                    (x - 6, "end")
                } else {
                    (x + length + 6, "start")
                };
                writeln!(
                    svg,
                    "<rect class=\"bar\" x=\"{x}\" y=\"{top}\" width=\"{length}\" height=\"18\" rx=\"2\"/>\n\
                     <text class=\"time\" x=\"{at}\" y=\"{base}\" text-anchor=\"{anchor}\">{took}</text>"
                )
            };
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waterfall() -> Waterfall {
        let began = SystemTime::UNIX_EPOCH;
        let at = |ms| began + Duration::from_millis(ms);
        let mut waterfall = Waterfall::beginning(began);
        waterfall.push(Bar::new("exec", at(0), at(1)));
        waterfall.push(Bar::new("load Cache<Key>", at(1), at(900)));
        waterfall.push(Bar::new("ready", at(900), at(900)));
        waterfall.push(Bar::new("first reply", at(900), at(1000)));
        waterfall
    }

    #[test]
    fn bars_are_as_long_as_what_they_stand_for() {
        let waterfall = waterfall();
        let placed = |index: usize| waterfall.placed(&waterfall.bars[index], 100);
        assert_eq!(placed(0), (0, 1));
        assert_eq!(placed(1), (0, 90));
        assert_eq!(placed(3), (90, 10));
    }

    #[test]
    fn no_width_and_no_clock_is_too_strange() {
        let mut waterfall = waterfall();
        let began = SystemTime::UNIX_EPOCH;
        // A clock that was set back in the middle.
        waterfall.push(Bar::new("漢字", began, began - Duration::from_secs(9)));
        waterfall.push(Bar::new("early", began - Duration::from_secs(9), began));
        for room in 0..200 {
            let text = waterfall.to_text(Some(room));
            assert!(text.contains("first reply"));
            if room >= 60 {
                for line in anstream::adapter::strip_str(&text).to_string().lines() {
                    assert!(line.width() <= room, "{room}: {line}");
                }
            }
        }
        assert!(!Waterfall::beginning(began).to_svg("nothing").is_empty());
    }

    #[test]
    fn a_drawing_escapes_what_it_writes() {
        let svg = waterfall().to_svg("<&>");
        assert!(svg.contains("Cache&lt;Key&gt;"), "{svg}");
        assert!(svg.contains("&lt;&amp;&gt;"), "{svg}");
    }
}
