//! The colours. They repeat what the words say, and never add to it.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const OK: Style = AnsiColor::Green.on_default();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(crate) const ERROR: Style = AnsiColor::Red.on_default();
pub(crate) const BAR: Style = AnsiColor::Blue.on_default();
pub(crate) const DIMMED: Style = Style::new().dimmed();

/// The text in this style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
