//! `brokered log`: the output of a daemon that a client has started.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use brokered_runtime::operator::is_at;
use serde_json::json;

use crate::arguments::Log;
use crate::error::{CliError, DONE, FAILED};
use crate::output::Output;
use crate::select;

/// How often a log that is followed is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

pub(crate) fn log(arguments: &Log, output: &mut Output) -> Result<u8, CliError> {
    let place = select::one(&arguments.target)?;
    let recorded = place.recorded();
    let record = recorded.record();
    let path = record.and_then(|record| record.log.clone());
    let path = path.unwrap_or_else(|| place.log());
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let by_hand = record.is_some_and(|record| record.owner != "launcher");
            let why = if by_hand {
                "it was not started by a client, so its output is where it was started"
            } else {
                "no client has started it yet"
            };
            let text = format!("there is no log at {}: {why}", path.display());
            return Err(CliError::new(FAILED, text));
        }
        Err(error) => return Err(unread(&path, &error)),
    };
    let mut reader = Reader::new(path, file);
    if let Some(lines) = arguments.lines {
        reader.skip_to_last(lines)?;
    }
    loop {
        reader.copy(output)?;
        if !arguments.follow {
            reader.finish(output)?;
            return Ok(DONE);
        }
        output.flush()?;
        thread::sleep(INTERVAL);
        reader.reopen(output)?;
    }
}

fn unread(path: &Path, error: &io::Error) -> CliError {
    CliError::failed(format!("cannot read {}: {error}", path.display()))
}

/// A log, and what of its last line has not been told yet as JSON.
struct Reader {
    path: PathBuf,
    file: File,
    at: u64,
    partial: Vec<u8>,
}

impl Reader {
    fn new(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            at: 0,
            partial: Vec::new(),
        }
    }

    /// Goes to where the last lines begin, reading from the end.
    fn skip_to_last(&mut self, lines: usize) -> Result<(), CliError> {
        let begin =
            last_lines(&mut self.file, lines).map_err(|error| unread(&self.path, &error))?;
        self.at = begin;
        Ok(())
    }

    /// Tells all that there is now.
    fn copy(&mut self, output: &mut Output) -> Result<(), CliError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = self
                .file
                .seek(SeekFrom::Start(self.at))
                .and_then(|_| self.file.read(&mut buffer))
                .map_err(|error| unread(&self.path, &error))?;
            if read == 0 {
                return Ok(());
            }
            self.at += read as u64;
            if output.is_json() {
                self.tell_lines(&buffer[..read], output)?;
            } else {
                output.bytes(&buffer[..read])?;
            }
        }
    }

    fn tell_lines(&mut self, bytes: &[u8], output: &mut Output) -> Result<(), CliError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            // A line that does not end is told in parts.
            if piece.ends_with(b"\n") || self.partial.len() > CHUNK {
                self.finish(output)?;
            }
        }
        Ok(())
    }

    /// Tells a last line that lacks its end.
    fn finish(&mut self, output: &mut Output) -> Result<(), CliError> {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return Ok(());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        output.json_line(&json!({ "line": String::from_utf8_lossy(line) }))
    }

    /// Goes on with the next file, if this one was put aside, and from the beginning, if it was cut.
    fn reopen(&mut self, output: &mut Output) -> Result<(), CliError> {
        let Ok(at_path) = fs::metadata(&self.path) else {
            // The next daemon makes a new one.
            return Ok(());
        };
        let is_another = !is_at(&self.file, &self.path) || at_path.len() < self.at;
        if is_another && let Ok(file) = File::open(&self.path) {
            self.copy(output)?;
            self.file = file;
            self.at = 0;
        }
        Ok(())
    }
}

/// Where the last lines begin.
fn last_lines(file: &mut File, lines: usize) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut left = lines;
    let mut begin = end;
    let mut buffer = vec![0; CHUNK];
    while begin > 0 {
        let length = begin.min(CHUNK as u64);
        begin -= length;
        let chunk = &mut buffer[..usize::try_from(length).unwrap_or(CHUNK)];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(chunk)?;
        for (index, byte) in chunk.iter().enumerate().rev() {
            let is_the_very_end = begin + index as u64 + 1 == end;
            if *byte == b'\n' && !is_the_very_end {
                if left <= 1 {
                    return Ok(begin + index as u64 + 1)
                        .map(|at| if lines == 0 { end } else { at });
                }
                left -= 1;
            }
        }
    }
    Ok(if lines == 0 { end } else { 0 })
}
