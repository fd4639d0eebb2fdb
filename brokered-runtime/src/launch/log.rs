//! [`Log`]: the file that receives the output of a launched daemon.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::LaunchError;
use crate::identity::paths::Paths;
use crate::log_file;
use crate::platform::{self, Access};
use crate::{Instance, Refusal};

/// How many bytes of a daemon's output an error shows.
const MAX_TAIL_SIZE: u64 = 4096;

/// How a log is opened: a log that the client names may be anything.
type OpenLog = fn(&Path) -> io::Result<File>;

/// The error of a log: a log that the client names is not in the runtime directory.
type LogError = fn(&Path, io::Error) -> LaunchError;

fn named_log_error(path: &Path, source: io::Error) -> LaunchError {
    LaunchError::Log {
        refusal: Refusal::of(&source, path, Access::Write),
        path: path.to_owned(),
        source,
    }
}

fn default_log_error(path: &Path, source: io::Error) -> LaunchError {
    LaunchError::access("open", path, Access::Write)(source)
}

/// The file that receives a daemon's output.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Where the output of this daemon begins. What is before that is from earlier ones.
    begin: u64,
    is_regular: bool,
}

impl Log {
    /// Opens the log of an instance. Rotates it if it is too large.
    pub(super) fn open(instance: &Instance, paths: &Paths) -> Result<Self, LaunchError> {
        let (path, open, error): (PathBuf, OpenLog, LogError) = match &instance.launch.log {
            Some(path) => (
                std::path::absolute(path).map_err(LaunchError::io("open", path))?,
                platform::open_append_anything,
                named_log_error,
            ),
            None => (paths.log(), platform::open_append, default_log_error),
        };
        let open = |path| Self::open_at(path, open, error);
        let log = open(path)?;
        let is_too_large = |max: u64| log.is_regular && log.begin > max;
        if instance.launch.max_log_size.is_some_and(is_too_large)
            // If the rename fails, the log keeps growing, which is better than no daemon.
            && log_file::rotate(&log.file, &log.path).is_ok()
        {
            return open(log.path);
        }
        Ok(log)
    }

    fn open_at(path: PathBuf, open: OpenLog, error: LogError) -> Result<Self, LaunchError> {
        let open = || {
            let file = open(&path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        };
        let (file, metadata) = open().map_err(|source| error(&path, source))?;
        Ok(Self {
            path,
            file,
            begin: metadata.len(),
            is_regular: metadata.is_file(),
        })
    }

    /// The last output of this daemon. Empty if the log cannot be read.
    pub(super) fn tail(&self) -> String {
        let bytes = self.read_tail().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads on in the new file if the daemon has rotated the log meanwhile. After a second rotation, the file in which
    /// its output began is gone.
    fn read_tail(&self) -> io::Result<Vec<u8>> {
        if !self.is_regular {
            return Ok(Vec::new());
        }
        // A log that the client names may be a link.
        let path = platform::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if self.is_at(&path) {
            return end_of(&path, self.begin);
        }
        let older = log_file::older(&path);
        let mut bytes = if self.is_at(&older) {
            end_of(&older, self.begin)?
        } else {
            Vec::new()
        };
        // Missing if the daemon could not create it: then it continues to write to the older one.
        bytes.extend(end_of(&path, 0).unwrap_or_default());
        let too_many = (bytes.len() as u64).saturating_sub(MAX_TAIL_SIZE);
        Ok(bytes
            .into_iter()
            .skip(usize::try_from(too_many).unwrap_or(0))
            .collect())
    }

    /// Whether the file in which the output began is at this path.
    fn is_at(&self, path: &Path) -> bool {
        platform::is_file_at(&self.file, path).unwrap_or(false)
    }
}

/// The last bytes of a file, at most [`MAX_TAIL_SIZE`], and none before `begin`.
fn end_of(path: &Path, begin: u64) -> io::Result<Vec<u8>> {
    let mut file = platform::open_regular(path)?;
    let length = file.metadata()?.len();
    let from = begin.max(length.saturating_sub(MAX_TAIL_SIZE));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MAX_TAIL_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
