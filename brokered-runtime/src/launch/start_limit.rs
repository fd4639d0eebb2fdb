//! The spawn budget: a daemon that dies again and again is not started for ever.
//!
//! `starts`, beside the record, has a line for each start since the last daemon that ended as it should,
//! which takes the file away. Only the holder of the instance lock writes it. What cannot be read or
//! written refuses nobody: a budget that is not kept is better than a daemon that nobody can start.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::time::Duration;

use super::error::LaunchError;
use super::failure::Failure;
use crate::identity::paths::Paths;
use crate::instance_lock::LaunchLock;
use crate::{Instance, platform};

/// More than this is not read; the last starts are what counts, and a line has some fifty bytes.
const LONGEST: u64 = 16 * 1024;

/// A start that was noted. What was not started after all is taken back.
#[derive(Debug)]
pub(super) struct RecordedStart(Option<(File, u64)>);

impl RecordedStart {
    /// Nothing was started.
    pub(super) fn revoke(self) {
        if let Some((file, length)) = self.0 {
            let _ = file.set_len(length);
        }
    }
}

/// Notes one more start, or refuses it.
pub(super) fn spend(
    instance: &Instance,
    paths: &Paths,
    _lock: &LaunchLock,
) -> Result<RecordedStart, LaunchError> {
    let limit = instance.launch.start_limit;
    let now = platform::uptime();
    let Ok((mut file, text)) = open(paths) else {
        return Ok(RecordedStart(None));
    };
    // Which run of the machine it is takes longer to read than all of this, and of a first start nobody asks.
    let boot = if text.is_empty() {
        String::new()
    } else {
        platform::boot_id()
    };
    let recent = recent_starts(&text, &boot, now, limit.within);
    if recent.len() >= limit.starts as usize {
        let first = recent[recent.len() - limit.starts as usize..].first();
        return Err(LaunchError::StartLimit {
            daemon: instance.daemon().name(),
            starts: limit.starts,
            within: limit.within,
            again_in: first.map_or(limit.within, |first| {
                limit.within.saturating_sub(now.saturating_sub(*first))
            }),
            last_failure: Failure::last(instance, paths).map(Box::new),
        });
    }
    Ok(RecordedStart(
        note(&mut file, &text, &boot, &recent, now)
            .ok()
            .map(|length| (file, length)),
    ))
}

fn open(paths: &Paths) -> io::Result<(File, String)> {
    let mut file = platform::open_read_append(&paths.starts())?;
    let mut text = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut text)?;
    Ok((file, text))
}

/// When the daemon was started since the machine was, as far as a line tells, and not longer ago than `within`.
fn recent_starts(text: &str, boot: &str, now: Duration, within: Duration) -> Vec<Duration> {
    text.lines()
        .filter_map(|line| {
            let (then, of) = line.split_once(' ')?;
            let then = Duration::from_millis(then.parse().ok()?);
            let ago = now.checked_sub(then)?;
            ((of.is_empty() || of == boot) && ago < within).then_some(then)
        })
        .collect()
}

/// Adds a line, in the place of all that has become too old once that is much. How long the file was.
fn note(
    file: &mut File,
    text: &str,
    boot: &str,
    recent: &[Duration],
    now: Duration,
) -> io::Result<u64> {
    let line = |then: Duration| format!("{} {boot}\n", then.as_millis());
    let mut kept = text.len() as u64;
    let mut lines = String::new();
    if kept > LONGEST / 2 {
        file.set_len(0)?;
        file.rewind()?;
        lines.extend(recent.iter().map(|then| line(*then)));
        kept = lines.len() as u64;
    } else if !text.is_empty() && !text.ends_with('\n') {
        lines.push('\n');
    }
    lines += &line(now);
    file.write_all(lines.as_bytes())?;
    Ok(kept)
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
    fn only_what_was_started_lately_and_since_this_boot_counts() {
        assert_eq!(count("999000 this\n970001 this\n970000 this\n1 this\n"), 2);
        assert_eq!(count("999000 other\n999000 this\n"), 1);
        assert_eq!(count("999000 \n999000 this\n"), 2);
    }

    #[test]
    fn a_torn_line_or_one_from_the_future_counts_for_nothing() {
        assert_eq!(count("999\n\0\0 this\n999000 thi\n1000001 this\n"), 0);
        assert_eq!(count("99999999999999999999999 this\n-5 this\n\n"), 0);
    }
}
