//! `KEY=VALUE` lines: the form of the record and of the launch message.
//!
//! A value is any bytes. Control characters, `%` and what is not UTF-8 stand as `%` and two hexadecimal
//! digits, so that a line is always one line of text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::platform;

/// Lines under construction.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// One more line.
    pub(crate) fn push(&mut self, key: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.0.push_str(key);
        self.0.push('=');
        escape_into(&mut self.0, value.as_ref());
        self.0.push('\n');
        self
    }

    /// One more line, for a path.
    pub(crate) fn push_path(&mut self, key: &str, path: &Path) -> &mut Self {
        self.push(key, platform::path_bytes(path))
    }

    /// One more line, for a number.
    pub(crate) fn push_number(&mut self, key: &str, number: impl Into<u64>) -> &mut Self {
        let number: u64 = number.into();
        let _ = writeln!(self.0, "{key}={number}");
        self
    }

    /// The lines.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Lines that were read. Of a key that stands there twice, the first line counts, unless all are asked for.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// Looks at a text as lines. Whatever is no `KEY=VALUE` is passed over.
    pub(crate) fn of(text: &'a str) -> Self {
        let lines = text.lines();
        Self(lines.filter_map(|line| line.split_once('=')).collect())
    }

    /// The bytes of a value.
    pub(crate) fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        unescape(self.values(key).next()?)
    }

    /// A value that is text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        String::from_utf8(self.bytes(key)?).ok()
    }

    /// A value that is a path.
    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        platform::path_from_bytes(self.bytes(key)?)
    }

    /// The values of all lines with this key, which are paths.
    pub(crate) fn paths(&self, key: &str) -> impl Iterator<Item = PathBuf> {
        self.values(key)
            .filter_map(|value| platform::path_from_bytes(unescape(value)?))
    }

    /// A value that is a number.
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

/// Seconds since 1970, with microseconds.
pub(crate) fn unix_time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}

/// Reads what [`unix_time`] has written, with three to six digits behind the point.
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
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
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
    fn any_bytes_come_back_as_they_were() {
        let all: Vec<u8> = (0..=255).chain("grün 100%\n".bytes()).collect();
        let mut lines = Lines::default();
        lines.push("BEFORE", "x").push("ALL", &all);
        let text = lines.into_string();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(Fields::of(&text).bytes("ALL"), Some(all));
    }

    #[test]
    fn nonsense_is_passed_over_or_refused_and_never_a_panic() {
        let fields = Fields::of("no equals sign\nA=%\nB=%zz\nC=%e\n=\nD=%ff\nE=1\nE=2\n");
        assert_eq!(fields.bytes("A"), None);
        assert_eq!(fields.bytes("B"), None);
        assert_eq!(fields.bytes("C"), None);
        assert_eq!(fields.text("D"), None);
        assert_eq!(fields.number::<u32>("E"), Some(1));
        assert_eq!(fields.bytes("F"), None);
    }
}
