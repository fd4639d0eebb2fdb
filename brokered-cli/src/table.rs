//! [`Table`]: aligned columns where they fit the terminal, and otherwise one line for each value.

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::Style;
use unicode_truncate::UnicodeTruncateStr as _;
use unicode_width::UnicodeWidthStr as _;

use crate::style::{self, styled};
use crate::text::{sanitize, wrap};

/// The space between two columns.
const GAP: usize = 2;

/// The least width of a column that shrinks.
const MIN_SHRUNK: usize = 12;

/// The least width of a value that is beside its name.
const MIN_VALUE: usize = 24;

/// A table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column with its heading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    alignment: Alignment,
    shrinks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alignment {
    Left,
    Right,
}

/// A value in a style.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Column {
    pub(crate) const fn left(heading: &'static str) -> Self {
        Self {
            heading,
            alignment: Alignment::Left,
            shrinks: false,
        }
    }

    pub(crate) const fn right(heading: &'static str) -> Self {
        Self {
            heading,
            alignment: Alignment::Right,
            shrinks: false,
        }
    }

    /// A column whose values lose their beginnings in a narrow terminal. The end of a path says more.
    pub(crate) const fn shrinking(mut self) -> Self {
        self.shrinks = true;
        self
    }
}

impl Cell {
    pub(crate) fn new(style: Style, text: impl AsRef<str>) -> Self {
        Self {
            text: sanitize(text.as_ref()),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(style::PLAIN, text)
    }
}

impl Table {
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: impl Into<Vec<Cell>>) {
        let row = row.into();
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// The table for a terminal of this width, or as wide as its values are.
    pub(crate) fn render(&self, width: Option<usize>) -> String {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|index| self.natural_width(index))
            .collect();
        match width {
            None => self.as_grid(&natural),
            Some(width) => match self.shrink(natural, width) {
                Some(widths) => self.as_grid(&widths),
                None => self.as_blocks(),
            },
        }
    }

    fn natural_width(&self, index: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[index].text.width());
        let heading = self.columns[index].heading.width();
        cells.max().unwrap_or_default().max(heading)
    }

    /// The widths at which the table fits. `None` if it does not fit.
    fn shrink(&self, mut widths: Vec<usize>, width: usize) -> Option<Vec<usize>> {
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        for (width, column) in widths.iter_mut().zip(&self.columns).rev() {
            if column.shrinks {
                let given = over.min(width.saturating_sub(MIN_SHRUNK));
                *width -= given;
                over -= given;
            }
        }
        (over == 0).then_some(widths)
    }

    fn as_grid(&self, widths: &[usize]) -> String {
        let headings: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::new(style::HEADING, column.heading))
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, column), &width) in row.iter().zip(&self.columns).zip(widths) {
                let shown = truncate_start(&cell.text, width);
                let space = " ".repeat(width.saturating_sub(shown.width()));
                let shown = match &*shown {
                    "" => String::new(),
                    shown => styled(cell.style, shown),
                };
                line.push_str(&match column.alignment {
                    Alignment::Left => shown + &space,
                    Alignment::Right => space + &shown,
                });
                line.push_str(&" ".repeat(GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn as_blocks(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for (index, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                let value = &cell.text;
                let _ = match index {
                    _ if value.is_empty() => Ok(()),
                    0 => writeln!(text, "{}", styled(style::HEADING, value)),
                    _ => {
                        let heading = column.heading.to_lowercase();
                        writeln!(text, " {heading} {}", styled(cell.style, value))
                    }
                };
            }
        }
        text
    }
}

/// As much of the end of a text as fits.
fn truncate_start(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return text.into();
    }
    let (end, _) = text.unicode_truncate_start(width.saturating_sub(1));
    format!("…{end}").into()
}

/// Names and values, one pair below the other. In a narrow terminal each value is below its name.
pub(crate) fn render_pairs(pairs: &[(&str, Cell)], width: Option<usize>) -> String {
    let names = pairs.iter().map(|(name, _)| name.width());
    let indent = names.max().unwrap_or_default() + GAP;
    let width = width.unwrap_or(usize::MAX);
    let is_beside = width.saturating_sub(indent) >= MIN_VALUE;
    let indent = if is_beside { indent } else { 1 };
    let mut text = String::new();
    for (name, cell) in pairs {
        let mut before = if is_beside {
            format!("{name:indent$}")
        } else {
            format!("{name}\n{:indent$}", "")
        };
        for line in wrap(&cell.text, width.saturating_sub(indent)) {
            let _ = writeln!(text, "{before}{}", styled(cell.style, line));
            before = " ".repeat(indent);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn table() -> Table {
        let mut table = Table::new([
            Column::left("NAME"),
            Column::right("PID"),
            Column::left("WHERE").shrinking(),
        ]);
        table.push(["hello".into(), "7".into(), "".into()]);
        table.push([
            "wörter".into(),
            "4711".into(),
            "/srv/a/long/way/to/go".into(),
        ]);
        table
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_with_a_space() {
        assert_eq!(
            plain(&table().render(None)),
            "NAME     PID  WHERE\nhello      7\nwörter  4711  /srv/a/long/way/to/go\n"
        );
    }

    #[test]
    fn a_path_loses_its_beginning_first() {
        let text = plain(&table().render(Some(30)));
        assert_eq!(
            text,
            "NAME     PID  WHERE\nhello      7\nwörter  4711  …/long/way/to/go\n"
        );
    }

    #[test]
    fn a_table_that_does_not_fit_has_one_line_for_each_value() {
        let text = plain(&table().render(Some(20)));
        assert_eq!(
            text,
            "hello\n pid 7\nwörter\n pid 4711\n where /srv/a/long/way/to/go\n"
        );
    }

    #[test]
    fn values_are_wrapped_between_words_beside_or_below_their_names() {
        let pairs = [
            ("name", Cell::from("hello")),
            ("why", Cell::from("it did not want to, and said so")),
            ("log", Cell::from("/srv/a/long/way/to/go/there")),
        ];
        assert_eq!(
            plain(&render_pairs(&pairs, None)),
            "name  hello\nwhy   it did not want to, and said so\nlog   /srv/a/long/way/to/go/there\n"
        );
        assert_eq!(
            plain(&render_pairs(&pairs, Some(30))),
            "name  hello\nwhy   it did not want to, and\n      said so\nlog   /srv/a/long/way/to/go/there\n"
        );
        assert_eq!(
            plain(&render_pairs(&pairs, Some(20))),
            "name\n hello\nwhy\n it did not want to,\n and said so\nlog\n /srv/a/long/way/to/go/there\n"
        );
        assert!(!render_pairs(&pairs, Some(0)).is_empty());
    }

    #[test]
    fn every_line_fits_at_every_width() {
        let mut table = table();
        table.push([
            "漢字漢字漢字".into(),
            "1".into(),
            "漢字/漢字/漢字/漢字".into(),
        ]);
        table.push(["\u{1b}[31mred\0".into(), "".into(), "\n\n".into()]);
        for width in 0..120 {
            let text = plain(&table.render(Some(width)));
            assert!(!text.contains('\0'));
            if text.starts_with("NAME") {
                for line in text.lines() {
                    assert!(!line.ends_with(' '), "{width}: {line}");
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }
}
