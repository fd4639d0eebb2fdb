//! [`Output`]: standard output, for people or as JSON, with colours or without, as wide as the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use serde_json::{Value, json};

use crate::arguments::Color;
use crate::error::CliError;
use crate::style::{self, styled};
use crate::table::{Cell, Table, render_pairs};
use crate::text::{sanitize, wrap};

/// Standard output.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    out: AutoStream<io::Stdout>,
    color: ColorChoice,
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

    /// Whether to print JSON only.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The width of the terminal. `None` if standard output is not a terminal, so that no line has to fit.
    pub(crate) fn width() -> Option<usize> {
        columns(terminal_size::terminal_size_of(io::stdout()))
    }

    /// Prints one line.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Prints lines that have their line ends.
    pub(crate) fn lines(&mut self, text: &str) -> Result<(), CliError> {
        if self.out.current_choice() != ColorChoice::Never {
            return Ok(self.out.write_all(text.as_bytes())?);
        }
        // One system call. `AutoStream` would strip the colours piece by piece, with one call for each.
        let plain = anstream::adapter::strip_str(text).to_string();
        self.bytes(plain.as_bytes())
    }

    /// Prints a text, indented and wrapped.
    pub(crate) fn paragraph(&mut self, text: &str) -> Result<(), CliError> {
        const INDENT: usize = 2;
        let width = Self::width().unwrap_or(usize::MAX).saturating_sub(INDENT);
        for line in wrap(text, width) {
            writeln!(self.out, "{:INDENT$}{line}", "")?;
        }
        Ok(())
    }

    /// Prints a text in a style, wrapped.
    pub(crate) fn note(&mut self, style: Style, text: &str) -> Result<(), CliError> {
        for line in wrap(text, Self::width().unwrap_or(usize::MAX)) {
            writeln!(self.out, "{}", styled(style, line))?;
        }
        Ok(())
    }

    /// Prints a text that begins with a name, wrapped. Only the name is in a style.
    pub(crate) fn remark(&mut self, style: Style, name: &str, text: &str) -> Result<(), CliError> {
        let lines = with_styled_start(style, name, text, Self::width());
        self.line(lines)
    }

    /// Prints names and values, one pair below the other.
    pub(crate) fn pairs(&mut self, pairs: &[(&str, Cell)]) -> Result<(), CliError> {
        self.lines(&render_pairs(pairs, Self::width()))
    }

    /// Prints a table.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), CliError> {
        self.lines(&table.render(Self::width()))
    }

    /// Prints a JSON document.
    pub(crate) fn json(&mut self, document: &Value) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{document:#}")?)
    }

    /// Prints a JSON document on one line, as one of several.
    pub(crate) fn json_line(&mut self, document: &Value) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{document}")?)
    }

    /// Prints bytes unchanged.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.out.flush()?;
        Ok(io::stdout().lock().write_all(bytes)?)
    }

    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.out.flush()?)
    }

    /// Whether progress is shown: for people, on a terminal.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// Shows on standard error what the command waits for.
    pub(crate) fn progress(&self, text: &str) {
        if !self.shows_progress() {
            return;
        }
        let mut err = AutoStream::new(io::stderr(), self.color);
        let _ = writeln!(err, "{}", styled(style::DIMMED, text));
    }

    /// Prints an error on standard error and, for programs, also as JSON on standard output.
    pub(crate) fn error(&mut self, error: &CliError) -> io::Result<()> {
        const NAME: &str = "brokered:";
        if self.json {
            let document = json!({ "error": error.to_string(), "code": error.code() });
            writeln!(self.out, "{document:#}")?;
            self.out.flush()?;
        }
        let width = columns(terminal_size::terminal_size_of(io::stderr()));
        let text = with_styled_start(style::ERROR, NAME, &format!(" {error}"), width);
        let mut err = AutoStream::new(io::stderr(), self.color);
        writeln!(err, "{text}")
    }
}

/// A text of one or more lines, wrapped, of which only the beginning is in a style. It may quote anything.
fn with_styled_start(style: Style, start: &str, text: &str, width: Option<usize>) -> String {
    let text = format!("{start}{text}");
    let lines = text.lines().map(sanitize);
    let lines: Vec<String> = lines
        .flat_map(|line| wrap(&line, width.unwrap_or(usize::MAX)))
        .collect();
    let text = lines.join("\n");
    match text.strip_prefix(start) {
        Some(rest) => format!("{}{rest}", styled(style, start)),
        None => text,
    }
}

fn columns(terminal: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    terminal
        .map(|(terminal_size::Width(width), _)| usize::from(width))
        .filter(|width| *width > 0)
}
