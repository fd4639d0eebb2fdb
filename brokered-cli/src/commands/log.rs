//! `brokered log`: the output of a daemon that a launcher started.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use brokered_runtime::operator::{InstanceDirectory, is_same_file, older_log};
use serde_json::json;

use crate::arguments::Log;
use crate::error::{CliError, SUCCESS};
use crate::output::Output;
use crate::select;

/// How often `--follow` looks for new lines.
const INTERVAL: Duration = Duration::from_millis(200);

/// How many bytes of each file of a log are shown at most. A sparse file can have a size of many terabytes.
const MAX_SHOWN: u64 = 64 * 1024 * 1024;

/// The number of bytes that are read at once.
const CHUNK: usize = 64 * 1024;

pub(crate) fn log(arguments: &Log, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_one(&arguments.target)?;
    let record = instance.read_record();
    let record = record.record();
    let path = record.and_then(|record| record.log.clone());
    let path = path.unwrap_or_else(|| instance.default_log_path());
    // A log that a user has named may be a link, and rotation is noticed by the file that a path itself leads to.
    let path = if path.parent() == Some(instance.path()) {
        path
    } else {
        fs::canonicalize(&path).unwrap_or(path)
    };
    let mut reader = match Reader::open(instance, path) {
        Ok(reader) => reader,
        Err((path, error)) if error.kind() == io::ErrorKind::NotFound => {
            let reason = match record {
                Some(record) if record.owner != "launcher" => {
                    "no launcher started the daemon, so its output is where it was started"
                }
                _ => "no launcher has started the daemon yet",
            };
            let text = format!("there is no log at {}: {reason}", path.display());
            return Err(CliError::failure(text));
        }
        Err((path, error)) => return Err(read_error(&path, &error)),
    };
    for file in reader.files.iter().filter(|file| file.first > 0) {
        let size = MAX_SHOWN / 1024 / 1024;
        let name = file.path.display();
        eprintln!("brokered: {name} is long: only its last {size} MiB are shown");
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
    /// The files of the log that are being read, oldest first. The last one is at the path, until it is rotated.
    files: Vec<LogFile>,
    /// The beginning of a line whose end has not been read yet. Only for JSON.
    partial: Vec<u8>,
}

struct LogFile {
    file: File,
    /// The path at which it was opened.
    path: PathBuf,
    /// The position of the first byte that is shown.
    first: u64,
    /// The position of the next byte.
    at: u64,
}

impl LogFile {
    fn open(instance: &InstanceDirectory, path: &Path) -> io::Result<Self> {
        let file = instance.open_log(path)?;
        let first = file.metadata()?.len().saturating_sub(MAX_SHOWN);
        let at = first;
        Ok(Self {
            file,
            path: path.to_owned(),
            first,
            at,
        })
    }

    /// Opens the older part of a log, if there is one.
    fn open_older(instance: &InstanceDirectory, log: &Path) -> Option<Self> {
        Self::open(instance, &older_log(log)).ok()
    }

    fn is_at(&self, path: &Path) -> bool {
        is_same_file(&self.file, path)
    }

    /// Whether a newer file has taken the last name of this one.
    fn is_unlinked(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            self.file
                .metadata()
                .is_ok_and(|metadata| metadata.nlink() == 0)
        }
        // There, a log is rotated only when a daemon is started.
        #[cfg(not(unix))]
        false
    }
}

impl Reader {
    /// Opens the log, and its older part if there is one.
    fn open(instance: InstanceDirectory, path: PathBuf) -> Result<Self, (PathBuf, io::Error)> {
        let current = LogFile::open(&instance, &path);
        let older = LogFile::open_older(&instance, &path).filter(|_| {
            // The log may have been rotated between the two calls.
            !matches!(&current, Ok(current) if current.is_at(&older_log(&path)))
        });
        let files = match (older, current) {
            (older, Ok(current)) => older.into_iter().chain([current]).collect(),
            // The daemon could not create the new file, and continues to write to the older one.
            (Some(older), Err(error)) if error.kind() == io::ErrorKind::NotFound => vec![older],
            (_, Err(error)) => return Err((path, error)),
        };
        Ok(Self {
            instance,
            path,
            files,
            partial: Vec::new(),
        })
    }

    /// Continues at the last lines.
    fn skip_to_last(&mut self, lines: usize) -> Result<(), CliError> {
        skip_to_last(lines, &mut self.files).map_err(|error| read_error(&self.path, &error))
    }

    /// Prints all that the files contain now.
    fn copy(&mut self, output: &mut Output) -> Result<(), CliError> {
        let mut buffer = vec![0; CHUNK];
        let mut index = 0;
        while let Some(LogFile { file, at, .. }) = self.files.get_mut(index) {
            let read = file
                .seek(SeekFrom::Start(*at))
                .and_then(|_| file.read(&mut buffer))
                .map_err(|error| read_error(&self.path, &error))?;
            *at += read as u64;
            if read == 0 {
                index += 1;
            } else if output.is_json() {
                self.print_lines(&buffer[..read], output)?;
            } else {
                output.bytes(&buffer[..read])?;
            }
        }
        Ok(())
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
            // The daemon creates it again, or the next one does.
            return Ok(());
        };
        let Some(current) = self.files.last_mut() else {
            return Ok(());
        };
        if current.is_at(&self.path) {
            if at_path.len() < current.at {
                current.first = 0;
                current.at = 0;
            }
            return Ok(());
        }
        let Ok(new) = LogFile::open(&self.instance, &self.path) else {
            return Ok(());
        };
        // After two rotations there is a file between these two. If the log was removed instead, the older part is the
        // one that was printed before.
        let older = older_log(&self.path);
        let is_between = current.is_unlinked()
            && !new.is_at(&older)
            && !self.files.iter().any(|file| file.is_at(&older));
        let between = is_between
            .then(|| LogFile::open_older(&self.instance, &self.path))
            .flatten();
        self.copy(output)?;
        // The file before stays open: a process that has not opened the new one yet may still write to it. So may a
        // child process of the daemon. The older part stays open, too, so that it is known to be printed.
        let last = self.files.len() - 1;
        let mut index = 0;
        self.files.retain(|file| {
            index += 1;
            index > last || file.is_at(&older)
        });
        self.files.extend(between);
        self.files.push(new);
        Ok(())
    }
}

/// Continues at the last lines of all files together. Reads from the end.
fn skip_to_last(lines: usize, files: &mut [LogFile]) -> io::Result<()> {
    let mut left = lines;
    let mut has_more = false;
    let mut buffer = vec![0; CHUNK];
    for LogFile {
        file, first, at, ..
    } in files.iter_mut().rev()
    {
        let end = file.seek(SeekFrom::End(0))?;
        *at = end;
        while left > 0 && *at > *first {
            let length = (*at - *first).min(CHUNK as u64);
            let begin = *at - length;
            let chunk = &mut buffer[..usize::try_from(length).unwrap_or(CHUNK)];
            file.seek(SeekFrom::Start(begin))?;
            file.read_exact(chunk)?;
            *at = begin;
            for (index, byte) in chunk.iter().enumerate().rev() {
                let next = begin + index as u64 + 1;
                // The line end at the end of the last file begins no line.
                if *byte == b'\n' && (next != end || has_more) {
                    left -= 1;
                    if left == 0 {
                        *at = next;
                        break;
                    }
                }
            }
        }
        has_more |= end > 0;
    }
    Ok(())
}
