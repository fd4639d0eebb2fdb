//! `KEY=VALUE` lines: the format of the record, the launch message and the replies of the control endpoint.
//!
//! A value can hold any bytes. Control characters, `%` and bytes that are not UTF-8 are written as `%` and two
//! hexadecimal digits, so that a value never contains a line break.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::platform;

/// A writer of lines.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub(crate) fn push(&mut self, key: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.0.push_str(key);
        self.0.push('=');
        escape_into(&mut self.0, value.as_ref());
        self.0.push('\n');
        self
    }

    /// Adds a line with a path.
    pub(crate) fn push_path(&mut self, key: &str, path: &Path) -> &mut Self {
        self.push(key, platform::path_bytes(path))
    }

    /// Adds a line with a number.
    pub(crate) fn push_number(&mut self, key: &str, number: impl Into<u64>) -> &mut Self {
        let number: u64 = number.into();
        let _ = writeln!(self.0, "{key}={number}");
        self
    }

    /// The text of all lines.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Parsed lines. Where a key occurs twice, the first line counts, except for [`paths`](Self::paths).
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// Splits a text into lines. A line that is not `KEY=VALUE` is skipped.
    pub(crate) fn of(text: &'a str) -> Self {
        let lines = text.lines();
        Self(lines.filter_map(|line| line.split_once('=')).collect())
    }

    /// The value of a key, as bytes.
    pub(crate) fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        unescape(self.values(key).next()?)
    }

    /// The value of a key, if it is UTF-8.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        String::from_utf8(self.bytes(key)?).ok()
    }

    /// The value of a key, as a path.
    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        platform::path_from_bytes(self.bytes(key)?)
    }

    /// The values of all lines with this key, as paths.
    pub(crate) fn paths(&self, key: &str) -> impl Iterator<Item = PathBuf> {
        self.values(key)
            .filter_map(|value| platform::path_from_bytes(unescape(value)?))
    }

    /// The value of a key, if it is a number.
    pub(crate) fn number<N: std::str::FromStr>(&self, key: &str) -> Option<N> {
        self.text(key)?.parse().ok()
    }

    fn values(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| *value)
    }
}

/// Seconds since 1970, with six digits after the point: `1700000000.007000`.
pub(crate) fn unix_time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}

/// Parses a text of [`unix_time`], with three to six digits after the point.
pub(crate) fn from_unix_time(text: &str) -> Option<SystemTime> {
    let (seconds, fraction) = text.split_once('.')?;
    if !(3..=6).contains(&fraction.len()) || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let microseconds: u64 = format!("{fraction:0<6}").parse().ok()?;
    let since = Duration::from_secs(seconds.parse().ok()?)
        .checked_add(Duration::from_micros(microseconds))?;
    UNIX_EPOCH.checked_add(since)
}

fn escape_into(line: &mut String, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '%' {
                let mut buffer = [0_u8; 4];
                escape_bytes(line, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                line.push(character);
            }
        }
        escape_bytes(line, chunk.invalid());
    }
}

fn escape_bytes(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(line, "%{byte:02x}");
    }
}

fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2)?;
        let high = char::from(digits[0]).to_digit(16)?;
        let low = char::from(digits[1]).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_a_round_trip() {
        let all: Vec<u8> = (0..=255).chain("grün 100%\n".bytes()).collect();
        let mut lines = Lines::default();
        lines.push("BEFORE", "x").push("ALL", &all);
        let text = lines.into_string();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(Fields::of(&text).bytes("ALL"), Some(all));
    }

    #[test]
    fn malformed_lines_are_skipped_without_a_panic() {
        let fields = Fields::of("no equals sign\nA=%\nB=%zz\nC=%e\n=\nD=%ff\nE=1\nE=2\n");
        assert_eq!(fields.bytes("A"), None);
        assert_eq!(fields.bytes("B"), None);
        assert_eq!(fields.bytes("C"), None);
        assert_eq!(fields.text("D"), None);
        assert_eq!(fields.number::<u32>("E"), Some(1));
        assert_eq!(fields.bytes("F"), None);
    }
}
