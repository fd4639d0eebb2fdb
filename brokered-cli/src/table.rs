//! Tables that fit: aligned where there is room, and else one line for each value.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::{broken, style, tame};

/// The space between two columns.
const GAP: usize = 2;

/// What is left of a column that gives way.
const NARROWEST: usize = 12;

/// What a sentence needs to be read beside its name.
const READABLE: usize = 24;

/// A table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column, by its heading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    side: Side,
    gives_way: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
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
            side: Side::Left,
            gives_way: false,
        }
    }

    pub(crate) const fn right(heading: &'static str) -> Self {
        Self {
            heading,
            side: Side::Right,
            gives_way: false,
        }
    }

    /// The column whose values lose their beginnings where there is no room. A path's end tells more.
    pub(crate) const fn giving_way(mut self) -> Self {
        self.gives_way = true;
        self
    }
}

impl Cell {
    pub(crate) fn new(style: Style, text: impl AsRef<str>) -> Self {
        Self {
            text: tame(text.as_ref()),
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

    /// The table in as many columns of a terminal, or in as many as it needs.
    pub(crate) fn laid_out(&self, room: Option<usize>) -> String {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|index| self.natural_width(index))
            .collect();
        match room {
            None => self.as_grid(&natural),
            Some(room) => match self.squeezed(natural, room) {
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

    /// The widths at which all fits. `None` if it can't.
    fn squeezed(&self, mut widths: Vec<usize>, room: usize) -> Option<Vec<usize>> {
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        for (width, column) in widths.iter_mut().zip(&self.columns).rev() {
            if column.gives_way {
                let given = over.min(width.saturating_sub(NARROWEST));
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
            .map(|column| Cell::new(style::HEAD, column.heading))
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            let mut owed = 0;
            for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
                let shown = without_beginning(&cell.text, *width);
                let space = width.saturating_sub(shown.width());
                let (before, after) = match column.side {
                    Side::Left => (0, space),
                    Side::Right => (space, 0),
                };
                if !shown.is_empty() {
                    let style = cell.style;
                    let _ = write!(line, "{:1$}{style}{shown}{style:#}", "", owed + before);
                    owed = 0;
                }
                owed += after + GAP + if shown.is_empty() { before } else { 0 };
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn as_blocks(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for (index, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                let style = cell.style;
                let value = &cell.text;
                let _ = match index {
                    _ if value.is_empty() => Ok(()),
                    0 => writeln!(text, "{}{value}{:#}", style::HEAD, style::HEAD),
                    _ => {
                        let heading = column.heading.to_lowercase();
                        writeln!(text, " {heading} {style}{value}{style:#}")
                    }
                };
            }
        }
        text
    }
}

/// As much of the end of a text as there is room for.
fn without_beginning(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut end = Vec::new();
    let mut left = room.saturating_sub(1);
    for c in text.chars().rev() {
        let width = c.width().unwrap_or_default();
        if width > left {
            break;
        }
        left -= width;
        end.push(c);
    }
    std::iter::once('…').chain(end.into_iter().rev()).collect()
}

/// Names and values, one below the other. Where there is no room for both in a line, each value is below its name.
pub(crate) fn list_of(pairs: &[(&str, Cell)], room: Option<usize>) -> String {
    let width = pairs.iter().map(|(name, _)| name.width()).max();
    let width = width.unwrap_or_default();
    let room = room.unwrap_or(usize::MAX);
    let beside = room.saturating_sub(width + GAP);
    let is_beside = beside >= READABLE;
    let (indent, left) = if is_beside {
        (width + GAP, beside)
    } else {
        (1, room.saturating_sub(1))
    };
    let mut text = String::new();
    for (name, cell) in pairs {
        let style = cell.style;
        let mut before = if is_beside {
            format!("{name:indent$}")
        } else {
            format!("{name}\n{:indent$}", "")
        };
        for line in broken(&cell.text, left) {
            let _ = writeln!(text, "{before}{style}{line}{style:#}");
            before = format!("{:indent$}", "");
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
            Column::left("WHERE").giving_way(),
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
    fn columns_are_aligned_and_lines_have_no_space_at_their_end() {
        assert_eq!(
            plain(&table().laid_out(None)),
            "NAME     PID  WHERE\nhello      7\nwörter  4711  /srv/a/long/way/to/go\n"
        );
    }

    #[test]
    fn a_path_loses_its_beginning_first() {
        let text = plain(&table().laid_out(Some(30)));
        assert_eq!(
            text,
            "NAME     PID  WHERE\nhello      7\nwörter  4711  …/long/way/to/go\n"
        );
    }

    #[test]
    fn nothing_is_lost_where_no_column_fits() {
        let text = plain(&table().laid_out(Some(20)));
        assert_eq!(
            text,
            "hello\n pid 7\nwörter\n pid 4711\n where /srv/a/long/way/to/go\n"
        );
    }

    #[test]
    fn values_are_broken_between_words_beside_or_below_their_names() {
        let pairs = [
            ("name", Cell::from("hello")),
            ("why", Cell::from("it did not want to, and said so")),
            ("log", Cell::from("/srv/a/long/way/to/go/there")),
        ];
        assert_eq!(
            plain(&list_of(&pairs, None)),
            "name  hello\nwhy   it did not want to, and said so\nlog   /srv/a/long/way/to/go/there\n"
        );
        assert_eq!(
            plain(&list_of(&pairs, Some(30))),
            "name  hello\nwhy   it did not want to, and\n      said so\nlog   /srv/a/long/way/to/go/there\n"
        );
        assert_eq!(
            plain(&list_of(&pairs, Some(20))),
            "name\n hello\nwhy\n it did not want to,\n and said so\nlog\n /srv/a/long/way/to/go/there\n"
        );
        assert!(!list_of(&pairs, Some(0)).is_empty());
    }

    #[test]
    fn every_line_fits_and_no_width_panics() {
        let mut table = table();
        table.push([
            "漢字漢字漢字".into(),
            "1".into(),
            "漢字/漢字/漢字/漢字".into(),
        ]);
        table.push(["\u{1b}[31mred\0".into(), "".into(), "\n\n".into()]);
        for room in 0..120 {
            let text = plain(&table.laid_out(Some(room)));
            assert!(!text.contains('\0'));
            if text.starts_with("NAME") {
                for line in text.lines() {
                    assert!(line.width() <= room, "{room}: {line}");
                }
            }
        }
    }
}
