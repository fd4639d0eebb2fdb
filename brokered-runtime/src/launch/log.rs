//! [`Log`]: the file that receives the output of a launched daemon.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::error::LaunchError;
use crate::Instance;
use crate::identity::paths::Paths;
use crate::platform::{self, Access};

/// The size in bytes above which the log is renamed to `log.1` at the next start.
const MAX_LOG_SIZE: u64 = 1024 * 1024;

/// How many bytes of a daemon's output an error shows.
const MAX_TAIL_SIZE: u64 = 4096;

/// The file that receives a daemon's output.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Where the output of this daemon begins. What is before that is from earlier ones.
    begin: u64,
}

impl Log {
    /// Opens the log of an instance. Rotates the default log; a log that the client names is not ours to rename.
    pub(super) fn open(instance: &Instance, paths: &Paths) -> Result<Self, LaunchError> {
        match &instance.launch.log {
            Some(path) => {
                let path = std::path::absolute(path).map_err(LaunchError::io("open", path))?;
                Self::open_at(path)
            }
            None => match Self::open_at(paths.log())? {
                log if log.begin > MAX_LOG_SIZE => {
                    // If the rename fails, the log keeps growing, which is better than no daemon.
                    let _ = fs::rename(&log.path, log.path.with_file_name("log.1"));
                    Self::open_at(log.path)
                }
                log => Ok(log),
            },
        }
    }

    fn open_at(path: PathBuf) -> Result<Self, LaunchError> {
        let open = || -> io::Result<(File, u64)> {
            let file = platform::open_append(&path)?;
            let begin = file.metadata()?.len();
            Ok((file, begin))
        };
        let (file, begin) = open().map_err(LaunchError::access("open", &path, Access::Write))?;
        Ok(Self { path, file, begin })
    }

    /// The last output of this daemon. Empty if the log cannot be read.
    pub(super) fn tail(&self) -> String {
        self.read_tail().unwrap_or_default()
    }

    fn read_tail(&self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        let from = self.begin.max(length.saturating_sub(MAX_TAIL_SIZE));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(MAX_TAIL_SIZE).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
