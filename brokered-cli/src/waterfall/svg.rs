//! The steps as an SVG drawing.

use svg::node::element::{Line, Rectangle, Style, Text, Title};
use svg::{Document, Node as _};

use super::steps::{Step, Waterfall};
use crate::duration::format_precise;

const ROW: usize = 24;
const BAR: usize = 18;
const NAMES: usize = 200;
const BARS: usize = 600;
const TIMES: usize = 100;

/// What the longest duration beside a bar needs.
const LABEL: usize = 60;

const STYLE: &str = "text { font: 13px sans-serif; fill: #222 } .time { fill: #666 } .bar { fill: #3b75af } \
                     .point { stroke: #2a8a3e; stroke-width: 2 } .grid { stroke: #ddd }";

impl Waterfall {
    /// The drawing, with this title.
    pub(crate) fn to_svg(&self, title: &str) -> String {
        let height = ROW * (self.steps().len() + 2) + 16;
        let width = NAMES + BARS + TIMES;
        let heading = format!("{title}: {}", format_precise(self.total()));
        let mut document = Document::new()
            .set("viewBox", (0, 0, width, height))
            .set("width", width)
            .set("height", height)
            .set("role", "img")
            .add(Title::new(title))
            .add(Style::new(STYLE))
            .add(
                Rectangle::new()
                    .set("width", "100%")
                    .set("height", "100%")
                    .set("fill", "#fff"),
            )
            .add(text(heading, 8, 20).set("style", "font-weight: bold"));
        for quarter in 0..=4_u32 {
            let x = NAMES + BARS * quarter as usize / 4;
            let time = format_precise(self.total() * quarter / 4);
            document.append(line("grid", x, ROW + 8, height - ROW - 8));
            document.append(time_label(time, x, height - 12, "middle"));
        }
        for (index, step) in self.steps().iter().enumerate() {
            self.append_row(&mut document, step, ROW * (index + 1) + 10);
        }
        format!("{document}\n")
    }

    fn append_row(&self, document: &mut Document, step: &Step, top: usize) {
        let (begin, length) = self.bar(step, BARS);
        let x = NAMES + begin;
        let baseline = top + 14;
        document.append(text(&step.name, 8, baseline));
        if step.duration().is_zero() {
            document.append(line("point", x, top, top + BAR));
            return;
        }
        let bar = Rectangle::new()
            .set("class", "bar")
            .set("x", x)
            .set("y", top)
            .set("width", length)
            .set("height", BAR)
            .set("rx", 2);
        document.append(bar);
        // The duration is behind the bar, or before it if there is no room.
        let (at, anchor) = if begin + length > BARS - LABEL && begin > LABEL + 20 {
            (x - 6, "end")
        } else {
            (x + length + 6, "start")
        };
        let took = format_precise(step.duration());
        document.append(time_label(took, at, baseline, anchor));
    }
}

fn text(content: impl Into<String>, x: usize, y: usize) -> Text {
    Text::new(content).set("x", x).set("y", y)
}

fn time_label(time: String, x: usize, y: usize, anchor: &str) -> Text {
    text(time, x, y)
        .set("class", "time")
        .set("text-anchor", anchor)
}

fn line(class: &str, x: usize, y1: usize, y2: usize) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", x)
        .set("y1", y1)
        .set("x2", x)
        .set("y2", y2)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::steps::tests::waterfall;
    use super::*;

    #[test]
    fn a_drawing_escapes_its_texts() {
        let svg = waterfall().to_svg("<&>");
        assert!(svg.contains("Cache&lt;Key&gt;"), "{svg}");
        assert!(svg.contains("&lt;&amp;&gt;"), "{svg}");
    }

    #[test]
    fn a_start_without_steps_can_be_drawn() {
        let svg = Waterfall::new(SystemTime::UNIX_EPOCH).to_svg("nothing");
        assert!(svg.starts_with("<svg"), "{svg}");
    }
}
