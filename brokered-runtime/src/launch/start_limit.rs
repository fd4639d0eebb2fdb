//! The start limit: a daemon in a crash loop is not started again for a while.
//!
//! The start history is the file `starts` beside the record. It has one line for each start: the uptime of the
//! machine in milliseconds, and the boot ID. A daemon that ends cleanly removes the file. Only the holder of the
//! instance lock writes it.
//!
//! A start history that cannot be read or written refuses no start: an unenforced limit is better than a daemon
//! that cannot be started.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::time::Duration;

use super::error::LaunchError;
use super::failure::Failure;
use crate::identity::paths::Paths;
use crate::instance_lock::LauncherLocks;
use crate::record::Record;
use crate::{Instance, platform};

/// The most bytes of the start history that are read. A line has some fifty bytes.
const MAX_HISTORY_SIZE: u64 = 16 * 1024;

/// A start that was recorded, and that can be revoked.
#[derive(Debug)]
pub(super) struct RecordedStart(Option<(File, u64)>);

impl RecordedStart {
    /// Removes the start from the history, because no process was started.
    pub(super) fn revoke(self) {
        if let Some((file, length)) = self.0 {
            let _ = file.set_len(length);
        }
    }
}

/// Records one more start, or refuses it.
pub(super) fn record_start(
    instance: &Instance,
    paths: &Paths,
    _lock: &LauncherLocks,
) -> Result<RecordedStart, LaunchError> {
    let limit = instance.launch.start_limit;
    let now = platform::uptime();
    let Ok((mut file, text)) = open(paths) else {
        return Ok(RecordedStart(None));
    };
    // Reading the boot ID takes longer than all the rest, and a first start is compared with no other.
    let boot_id = if text.is_empty() {
        String::new()
    } else {
        platform::boot_id()
    };
    let recent = recent_starts(&text, &boot_id, now, limit.within);
    if recent.len() >= limit.starts as usize {
        let first = recent[recent.len() - limit.starts as usize..].first();
        return Err(LaunchError::StartLimit {
            daemon: instance.daemon().name(),
            starts: limit.starts,
            within: limit.within,
            retry_after: first.map_or(limit.within, |first| {
                limit.within.saturating_sub(now.saturating_sub(*first))
            }),
            last_failure: Record::read(paths)
                .map(|record| Box::new(Failure::from_record(instance, record))),
        });
    }
    Ok(RecordedStart(
        append(&mut file, &text, &boot_id, &recent, now)
            .ok()
            .map(|length| (file, length)),
    ))
}

fn open(paths: &Paths) -> io::Result<(File, String)> {
    let mut file = platform::open_read_append(&paths.starts())?;
    let mut text = String::new();
    (&mut file)
        .take(MAX_HISTORY_SIZE)
        .read_to_string(&mut text)?;
    Ok((file, text))
}

/// The uptimes of the starts since this boot that are not longer ago than `within`. Lines that make no sense are
/// ignored.
fn recent_starts(text: &str, boot_id: &str, now: Duration, within: Duration) -> Vec<Duration> {
    text.lines()
        .filter_map(|line| {
            let (then, line_boot_id) = line.split_once(' ')?;
            let then = Duration::from_millis(then.parse().ok()?);
            let ago = now.checked_sub(then)?;
            ((line_boot_id.is_empty() || line_boot_id == boot_id) && ago < within).then_some(then)
        })
        .collect()
}

/// Appends a line. A history that has become long is first reduced to the recent starts. Returns the length without
/// the new line.
fn append(
    file: &mut File,
    text: &str,
    boot_id: &str,
    recent: &[Duration],
    now: Duration,
) -> io::Result<u64> {
    let line = |then: Duration| format!("{} {boot_id}\n", then.as_millis());
    let mut kept_length = text.len() as u64;
    let mut lines = String::new();
    if kept_length > MAX_HISTORY_SIZE / 2 {
        file.set_len(0)?;
        file.rewind()?;
        lines.extend(recent.iter().map(|then| line(*then)));
        kept_length = lines.len() as u64;
    } else if !text.is_empty() && !text.ends_with('\n') {
        lines.push('\n');
    }
    lines += &line(now);
    platform::write_all(file, lines.as_bytes())?;
    Ok(kept_length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);
    const WITHIN: Duration = Duration::from_secs(30);

    fn count(text: &str) -> usize {
        recent_starts(text, "this", NOW, WITHIN).len()
    }

    #[test]
    fn only_recent_starts_since_this_boot_count() {
        assert_eq!(count("999000 this\n970001 this\n970000 this\n1 this\n"), 2);
        assert_eq!(count("999000 other\n999000 this\n"), 1);
        assert_eq!(count("999000 \n999000 this\n"), 2);
    }

    #[test]
    fn a_truncated_line_or_one_from_the_future_does_not_count() {
        assert_eq!(count("999\n\0\0 this\n999000 thi\n1000001 this\n"), 0);
        assert_eq!(count("99999999999999999999999 this\n-5 this\n\n"), 0);
    }
}
