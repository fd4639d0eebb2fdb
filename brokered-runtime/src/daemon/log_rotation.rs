//! [`LogRotation`]: the log of a launched daemon is rotated by size while the daemon runs.
//!
//! A look at the log can block for as long as its file system does not answer, so all looks have a thread of their own.
//! It starts when the first look is due.
//!
//! The log is renamed, opened anew, and put on standard output and standard error. What other threads write meanwhile
//! goes to the renamed file or to the new one, so no line is lost.

use std::env;
use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::lifecycle::Lifecycle;
use crate::diagnostics::print;
use crate::log_file;
use crate::platform::{self, OutputFile, RenameOutcome};

/// The longest time between two looks at the log. A daemon that begins to write fast writes on for at most this long.
const MAX_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest time between two looks, while the log grows fast.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The size of the stack of the thread that looks at the log.
const STACK_SIZE: usize = 128 * 1024;

/// When to look at the log of this process, and whether to rotate it.
#[derive(Debug, Clone)]
pub(super) struct LogRotation {
    path: PathBuf,
    max_size: u64,
    /// The file that this process writes to, with its size at the last look.
    log: OutputFile,
    looked_at: Instant,
    next_look: Instant,
    /// The time between two looks that a test has set.
    test_interval: Option<Duration>,
    /// Whether the last rotation failed. The failure is reported once.
    has_failed: bool,
}

impl LogRotation {
    /// `None` if this process does not write to the log: a wrapper may have redirected its output. `None` also for a log
    /// that is not a regular file.
    pub(super) fn new(path: PathBuf, max_size: u64) -> Option<Self> {
        let outputs = platform::output_files();
        let output_at = |path: &Path| {
            let at_path = platform::regular_file_at(path).ok()??;
            let mut outputs = outputs.into_iter().flatten();
            outputs.find(|output| output.is_same_file(&at_path))
        };
        // Another daemon with the same log may have rotated it since this one was started.
        let log = output_at(&path).or_else(|| output_at(&log_file::older(&path)))?;
        let test_interval = test_interval();
        let now = Instant::now();
        Some(Self {
            path,
            max_size,
            log,
            looked_at: now,
            next_look: now + test_interval.unwrap_or(MAX_INTERVAL),
            test_interval,
            has_failed: false,
        })
    }

    /// When to call [`start_thread`](Self::start_thread).
    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Starts the thread that does all looks, if the first one is due. Returns whether the thread was started. Never
    /// blocks.
    pub(super) fn start_thread(&mut self, lifecycle: &Arc<Lifecycle>) -> bool {
        let now = Instant::now();
        if now < self.next_look {
            return false;
        }
        let rotation = self.clone();
        let lifecycle = Arc::clone(lifecycle);
        let spawned = thread::Builder::new()
            .name("brokered-log".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || rotation.run(&lifecycle));
        // Without a thread, the next interval tries again.
        self.next_look = now + MAX_INTERVAL;
        spawned.is_ok()
    }

    /// Looks at the log until the daemon drains.
    fn run(mut self, lifecycle: &Lifecycle) {
        loop {
            thread::sleep(self.next_look.saturating_duration_since(Instant::now()));
            if lifecycle.is_stopping() {
                return;
            }
            // A look that was blocked may go on after the drain has begun.
            let may_rotate = || lifecycle.owns_its_paths() && !lifecycle.is_stopping();
            if let Some(error) = self.look(may_rotate) {
                print(lifecycle.name(), error);
            }
        }
    }

    /// Looks at the log, and rotates it if it is too large. Returns what to report, if that failed. May block for any
    /// time.
    ///
    /// While `may_rotate` is false, nothing is renamed or opened: the directory of the log may be that of another
    /// daemon.
    fn look(&mut self, may_rotate: impl FnOnce() -> bool) -> Option<String> {
        let now = Instant::now();
        let size_before = self.log.size;
        let elapsed = now.saturating_duration_since(self.looked_at);
        self.looked_at = now;
        let result = self.rotate_if_needed(may_rotate);
        let interval = match &result {
            Ok(Look { size, is_busy }) => {
                // A file that is shorter than before was truncated.
                let growth = size.checked_sub(size_before).unwrap_or(*size);
                let left = self.max_size.saturating_sub(self.log.size);
                if *is_busy {
                    MIN_INTERVAL
                } else {
                    interval(growth, elapsed, left)
                }
            }
            Err(_) => MAX_INTERVAL,
        };
        self.next_look = now + self.test_interval.unwrap_or(interval);
        let had_failed = mem::replace(&mut self.has_failed, result.is_err());
        let error = result.err().filter(|_| !had_failed)?;
        Some(format!(
            "{error}; output continues in the file that is open, and the daemon tries again every {} s",
            MAX_INTERVAL.as_secs()
        ))
    }

    fn rotate_if_needed(&mut self, may_rotate: impl FnOnce() -> bool) -> Result<Look, String> {
        // Anything but a regular file is an error where the path is opened.
        let at_path = platform::regular_file_at(&self.path).ok().flatten();
        let is_at_path = |open: &OutputFile| at_path.is_some_and(|file| file.is_same_file(open));
        // The daemon's code may have redirected its output to a file of its own. That one is left alone.
        let open: Vec<OutputFile> = platform::output_files()
            .into_iter()
            .flatten()
            .filter(|open| open.is_same_file(&self.log) || is_at_path(open))
            .collect();
        let Some(size) = open.iter().map(|open| open.size).max() else {
            return Ok(Look {
                size: self.log.size,
                is_busy: false,
            });
        };
        let was_rotated = !open.iter().all(is_at_path);
        if let (false, Some(at_path)) = (was_rotated, at_path) {
            self.log = at_path;
        }
        let is_needed = (was_rotated || size > self.max_size) && may_rotate();
        let is_busy = is_needed && !self.rotate(&open)?;
        Ok(Look { size, is_busy })
    }

    /// Continues in a new file. Returns false if another process is about to rename the log.
    fn rotate(&mut self, open: &[OutputFile]) -> Result<bool, String> {
        // The rename unlinks the older part that is there. Open, it does not take the time to free its space before the
        // path has a file again.
        let replaced = platform::open_regular(&log_file::older(&self.path)).ok();
        let (file, opened) = self.open()?;
        // If another file is at the path, another program or another daemon with this log has rotated it. To rename that
        // file, too, would take the log from under them.
        let (file, opened) = if opened.is_same_file(&self.log) {
            let outcome = log_file::rotate(&file, &self.path).map_err(|error| {
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "; this user needs write permission for the directory"
                    }
                    _ => "",
                };
                format!(
                    "the log {} is larger than {} bytes, and cannot be renamed to {}: {error}{hint}",
                    self.path.display(),
                    self.max_size,
                    log_file::older(&self.path).display()
                )
            })?;
            if outcome == RenameOutcome::Busy {
                return Ok(false);
            }
            // Its descriptor is free for the next file, so that the limit of descriptors is no reason to fail now.
            drop(file);
            self.open()?
        } else {
            (file, opened)
        };
        platform::redirect_outputs(open, &file).map_err(|error| self.open_error(&error))?;
        self.log = opened;
        if let Some(replaced) = replaced {
            // Freeing gigabytes takes seconds, in which nothing would look at the log.
            let _ = thread::Builder::new().spawn(move || drop(replaced));
        }
        Ok(true)
    }

    fn open(&self) -> Result<(File, OutputFile), String> {
        platform::open_output(&self.path, &self.log).map_err(|error| self.open_error(&error))
    }

    fn open_error(&self, error: &io::Error) -> String {
        format!(
            "the log {} cannot be opened anew: {error}",
            self.path.display()
        )
    }
}

/// The result of a look at the log.
struct Look {
    /// The size of the file that this process wrote to before the look.
    size: u64,
    /// Whether another process was about to rename the log.
    is_busy: bool,
}

/// When to look again: in half the time in which the log becomes too large if it grows as it did. It may grow faster.
fn interval(growth: u64, elapsed: Duration, left: u64) -> Duration {
    if growth == 0 {
        return MAX_INTERVAL;
    }
    let parts = u128::from(growth) * 2;
    let nanoseconds = elapsed.as_nanos().saturating_mul(u128::from(left)) / parts;
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
    Duration::from_nanos(nanoseconds).clamp(MIN_INTERVAL, MAX_INTERVAL)
}

fn test_interval() -> Option<Duration> {
    // Only debug builds read the variable. The tests set it.
    if !cfg!(debug_assertions) {
        return None;
    }
    let milliseconds = env::var("BROKERED_TEST_LOG_CHECK_MS").ok()?.parse().ok()?;
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn the_next_look_comes_sooner_while_the_log_grows_fast() {
        let five_seconds = Duration::from_secs(5);
        // Nothing was written, or little.
        assert_eq!(interval(0, five_seconds, 10 * MIB), MAX_INTERVAL);
        assert_eq!(interval(1, five_seconds, 10 * MIB), MAX_INTERVAL);
        // At 2 MiB a second, 10 MiB are full in 5 s.
        assert_eq!(
            interval(10 * MIB, five_seconds, 10 * MIB),
            Duration::from_millis(2500)
        );
        assert_eq!(interval(1000 * MIB, five_seconds, 10 * MIB), MIN_INTERVAL);
        assert_eq!(interval(10 * MIB, five_seconds, 0), MIN_INTERVAL);
        // No number overflows.
        assert_eq!(interval(1, Duration::MAX, u64::MAX), MAX_INTERVAL);
        assert_eq!(interval(u64::MAX, Duration::MAX, u64::MAX), MAX_INTERVAL);
        assert_eq!(interval(u64::MAX, Duration::ZERO, u64::MAX), MIN_INTERVAL);
    }
}
