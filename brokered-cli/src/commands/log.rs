//! `brokered log`: the output of a daemon that a launcher started.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use brokered_runtime::operator::{InstanceDirectory, is_same_file};
use serde_json::json;

use crate::arguments::Log;
use crate::error::{CliError, SUCCESS};
use crate::output::Output;
use crate::select;

/// How often `--follow` looks for new lines.
const INTERVAL: Duration = Duration::from_millis(200);

/// How many bytes of a log are shown at most. A sparse file can have a size of many terabytes.
const MAX_SHOWN: u64 = 64 * 1024 * 1024;

/// The number of bytes that are read at once.
const CHUNK: usize = 64 * 1024;

pub(crate) fn log(arguments: &Log, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_one(&arguments.target)?;
    let record = instance.read_record();
    let record = record.record();
    let path = record.and_then(|record| record.log.clone());
    let path = path.unwrap_or_else(|| instance.default_log_path());
    let file = match instance.open_log(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let reason = match record {
                Some(record) if record.owner != "launcher" => {
                    "no launcher started the daemon, so its output is where it was started"
                }
                _ => "no launcher has started the daemon yet",
            };
            let text = format!("there is no log at {}: {reason}", path.display());
            return Err(CliError::failure(text));
        }
        Err(error) => return Err(read_error(&path, &error)),
    };
    let mut reader = Reader::new(instance, path, file)?;
    if reader.at > 0 {
        let size = MAX_SHOWN / 1024 / 1024;
        let name = reader.path.display();
        eprintln!(
            "brokered: the log is long: only its last {size} MiB are shown; all of it is in {name}"
        );
    }
    if let Some(lines) = arguments.lines {
        reader.skip_to_last(lines)?;
    }
    loop {
        reader.copy(output)?;
        if !arguments.follow {
            reader.finish(output)?;
            return Ok(SUCCESS);
        }
        output.flush()?;
        thread::sleep(INTERVAL);
        reader.reopen(output)?;
    }
}

fn read_error(path: &Path, error: &io::Error) -> CliError {
    CliError::failure(format!("cannot read {}: {error}", path.display()))
}

/// A log that is being printed.
struct Reader {
    instance: InstanceDirectory,
    path: PathBuf,
    file: File,
    /// The position of the next byte.
    at: u64,
    /// The beginning of a line whose end has not been read yet. Only for JSON.
    partial: Vec<u8>,
}

impl Reader {
    fn new(instance: InstanceDirectory, path: PathBuf, file: File) -> Result<Self, CliError> {
        let metadata = file.metadata().map_err(|error| read_error(&path, &error))?;
        Ok(Self {
            instance,
            path,
            file,
            at: metadata.len().saturating_sub(MAX_SHOWN),
            partial: Vec::new(),
        })
    }

    /// Continues at the last lines.
    fn skip_to_last(&mut self, lines: usize) -> Result<(), CliError> {
        self.at = position_of_last(lines, self.at, &mut self.file)
            .map_err(|error| read_error(&self.path, &error))?;
        Ok(())
    }

    /// Prints all that the file contains now.
    fn copy(&mut self, output: &mut Output) -> Result<(), CliError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = self
                .file
                .seek(SeekFrom::Start(self.at))
                .and_then(|_| self.file.read(&mut buffer))
                .map_err(|error| read_error(&self.path, &error))?;
            if read == 0 {
                return Ok(());
            }
            self.at += read as u64;
            if output.is_json() {
                self.print_lines(&buffer[..read], output)?;
            } else {
                output.bytes(&buffer[..read])?;
            }
        }
    }

    fn print_lines(&mut self, bytes: &[u8], output: &mut Output) -> Result<(), CliError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            // A line without an end is printed in parts.
            if piece.ends_with(b"\n") || self.partial.len() > CHUNK {
                self.finish(output)?;
            }
        }
        Ok(())
    }

    /// Prints the line, even if its end is missing.
    fn finish(&mut self, output: &mut Output) -> Result<(), CliError> {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return Ok(());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        output.json_line(&json!({ "line": String::from_utf8_lossy(line) }))
    }

    /// Continues with the new file if the log was rotated, and at the beginning if it was truncated.
    fn reopen(&mut self, output: &mut Output) -> Result<(), CliError> {
        let Ok(at_path) = fs::metadata(&self.path) else {
            // The next daemon creates it again.
            return Ok(());
        };
        let is_new = !is_same_file(&self.file, &self.path) || at_path.len() < self.at;
        if is_new && let Ok(file) = self.instance.open_log(&self.path) {
            self.copy(output)?;
            self.file = file;
            self.at = 0;
        }
        Ok(())
    }
}

/// The position at which the last lines begin, but not before `first`. Reads from the end.
fn position_of_last(lines: usize, first: u64, file: &mut File) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    if lines == 0 {
        return Ok(end);
    }
    let mut left = lines;
    let mut begin = end;
    let mut buffer = vec![0; CHUNK];
    while begin > first {
        let length = (begin - first).min(CHUNK as u64);
        begin -= length;
        let chunk = &mut buffer[..usize::try_from(length).unwrap_or(CHUNK)];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(chunk)?;
        for (index, byte) in chunk.iter().enumerate().rev() {
            let next = begin + index as u64 + 1;
            // The line end at the end of the file begins no line.
            if *byte == b'\n' && next != end {
                left -= 1;
                if left == 0 {
                    return Ok(next);
                }
            }
        }
    }
    Ok(first)
}
