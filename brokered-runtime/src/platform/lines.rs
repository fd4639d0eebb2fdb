//! The lines that a daemon sends over its channel: the same text on every platform.

use std::io;
use std::time::Instant;

use super::types::Line;

/// Reads lines from a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    /// The bytes of a line that is not complete yet.
    partial: Vec<u8>,
}

impl LineReader {
    /// Returns the next line. A line that has already arrived is returned even after the deadline.
    ///
    /// `read` fills the buffer and returns the number of bytes, 0 at the end of the stream, or `None` if nothing has
    /// arrived yet. It must not wait beyond the deadline.
    pub(super) fn next(
        &mut self,
        deadline: Instant,
        mut read: impl FnMut(&mut [u8]) -> io::Result<Option<usize>>,
    ) -> io::Result<Line> {
        loop {
            if let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.partial.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line[..end]).into_owned();
                return Ok(Line::Text(text));
            }
            if Instant::now() >= deadline {
                return Ok(Line::TimedOut);
            }
            let mut buffer = [0_u8; 1024];
            match read(&mut buffer)? {
                Some(0) => return Ok(Line::End),
                Some(length) => self.partial.extend_from_slice(&buffer[..length]),
                None => {}
            }
        }
    }
}

/// Terminates a line. A newline within it becomes a space, so that it stays one line.
pub(super) fn terminated(line: &str) -> String {
    format!("{}\n", line.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_are_put_together_from_parts_until_the_stream_ends() -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut parts = [&b"one\ntw"[..], b"", b"o\n\nlast"].into_iter();
        let mut read = |buffer: &mut [u8]| {
            Ok(match parts.next() {
                Some([]) => None,
                Some(part) => {
                    buffer[..part.len()].copy_from_slice(part);
                    Some(part.len())
                }
                None => Some(0),
            })
        };
        let mut lines = LineReader::default();
        for text in ["one", "two", ""] {
            let expected = Line::Text(text.to_owned());
            assert_eq!(lines.next(deadline, &mut read)?, expected);
        }
        assert_eq!(lines.next(deadline, &mut read)?, Line::End);
        Ok(())
    }

    #[test]
    fn a_complete_line_is_returned_after_the_deadline_and_a_partial_one_is_kept() -> io::Result<()>
    {
        let mut lines = LineReader {
            partial: b"one\ntw".to_vec(),
        };
        let deadline = Instant::now();
        let mut read = |_: &mut [u8]| -> io::Result<_> { panic!("the deadline has passed") };
        assert_eq!(
            lines.next(deadline, &mut read)?,
            Line::Text("one".to_owned())
        );
        assert_eq!(lines.next(deadline, &mut read)?, Line::TimedOut);
        assert_eq!(lines.partial, b"tw");
        Ok(())
    }

    #[test]
    fn a_newline_within_a_line_becomes_a_space() {
        assert_eq!(terminated("a\nb"), "a b\n");
    }
}
