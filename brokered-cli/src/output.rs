//! [`Output`]: what is printed, and how: for people or as JSON, in colour or not, as wide as there is room.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::arguments::Color;
use crate::error::CliError;
use crate::table::{Cell, Table, list_of};

/// Standard output.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    out: AutoStream<io::Stdout>,
    color: ColorChoice,
}

/// What colours say. They never say anything that the words don't.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const PLAIN: Style = Style::new();
    pub(crate) const HEAD: Style = Style::new().bold();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    pub(crate) const PENDING: Style = AnsiColor::Yellow.on_default();
    pub(crate) const BAD: Style = AnsiColor::Red.on_default();
    pub(crate) const BAR: Style = AnsiColor::Blue.on_default();
    pub(crate) const PAST: Style = Style::new().dimmed();
}

impl Output {
    pub(crate) fn new(json: bool, color: Color) -> Self {
        let color = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self {
            json,
            out: AutoStream::new(io::stdout(), color),
            color,
        }
    }

    /// Whether JSON is printed, and nothing else.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// How wide the terminal is. `None` where there is none, and nothing has to fit.
    pub(crate) fn width() -> Option<usize> {
        columns(terminal_size::terminal_size_of(io::stdout()))
    }

    /// A line for people.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Lines for people, each with its end.
    pub(crate) fn lines(&mut self, text: &str) -> Result<(), CliError> {
        if self.out.current_choice() != ColorChoice::Never {
            return Ok(self.out.write_all(text.as_bytes())?);
        }
        // Stripped at once and printed at once: piece by piece, each line would be a call of its own.
        let plain = anstream::adapter::strip_str(text).to_string();
        self.bytes(plain.as_bytes())
    }

    /// A sentence or two for people, indented, and broken between words where there is a terminal.
    pub(crate) fn paragraph(&mut self, text: &str) -> Result<(), CliError> {
        const INDENT: usize = 2;
        let room = Self::width().unwrap_or(usize::MAX).saturating_sub(INDENT);
        for line in broken(text, room) {
            writeln!(self.out, "{:INDENT$}{line}", "")?;
        }
        Ok(())
    }

    /// A sentence that ends what was said, in a style.
    pub(crate) fn remark(&mut self, style: Style, text: &str) -> Result<(), CliError> {
        for line in broken(text, Self::width().unwrap_or(usize::MAX)) {
            writeln!(self.out, "{}", styled(style, line))?;
        }
        Ok(())
    }

    /// Names and values for people, one below the other.
    pub(crate) fn list(&mut self, pairs: &[(&str, Cell)]) -> Result<(), CliError> {
        self.lines(&list_of(pairs, Self::width()))
    }

    /// A table for people.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), CliError> {
        self.lines(&table.laid_out(Self::width()))
    }

    /// A document for programs. One line each, where there are several.
    pub(crate) fn json(&mut self, document: &Value) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{document:#}")?)
    }

    /// One of many documents, on a line of its own.
    pub(crate) fn json_line(&mut self, document: &Value) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{document}")?)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.out.flush()?;
        Ok(io::stdout().lock().write_all(bytes)?)
    }

    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.out.flush()?)
    }

    /// Whether somebody watches what happens meanwhile.
    pub(crate) fn is_watched(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// What happens meanwhile, for whoever watches. Nobody does where standard error is no terminal.
    pub(crate) fn progress(&self, text: &str) {
        if !self.is_watched() {
            return;
        }
        let past = style::PAST;
        let mut err = AutoStream::new(io::stderr(), self.color);
        let _ = writeln!(err, "{past}{text}{past:#}");
    }

    /// What went wrong: on standard error, and for programs on standard output, too.
    pub(crate) fn error(&mut self, trouble: &CliError) -> io::Result<()> {
        const NAME: &str = "brokered:";
        if self.json {
            let document = json!({ "error": trouble.to_string(), "code": trouble.code() });
            writeln!(self.out, "{document:#}")?;
            self.out.flush()?;
        }
        let bad = style::BAD;
        let room = columns(terminal_size::terminal_size_of(io::stderr())).unwrap_or(usize::MAX);
        // An error may quote anything, and have several lines.
        let text = format!("{NAME} {trouble}");
        let lines = text.lines().map(tame);
        let lines: Vec<String> = lines.flat_map(|line| broken(&line, room)).collect();
        let text = lines.join("\n");
        let text = text.strip_prefix(NAME).unwrap_or(&text);
        let mut err = AutoStream::new(io::stderr(), self.color);
        writeln!(err, "{bad}{NAME}{bad:#}{text}")
    }
}

fn columns(terminal: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    terminal
        .map(|(terminal_size::Width(width), _)| usize::from(width))
        .filter(|width| *width > 0)
}

/// A text, broken between words so that its lines fit. A word that does not fit by itself is left whole: the
/// terminal breaks it, and it can still be copied.
pub(crate) fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A text without what a terminal would obey. What a daemon says of itself, or a path, may hold anything.
pub(crate) fn tame(text: &str) -> String {
    let is_obeyed = |c: char| {
        // Besides control characters those that turn the direction of what follows.
        c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if is_obeyed(c) { '\u{fffd}' } else { c })
        .collect()
}
