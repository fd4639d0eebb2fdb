//! How one sees that a file is no longer what it was.

use std::{
    fs::Metadata,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A file's size and the time of its last change, as far as the file system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    /// Nanoseconds since 1970.
    pub(crate) changed: i128,
}

/// File systems tell the time in ticks, of two seconds at worst: what changed in the tick in which
/// it was read may look unchanged afterwards.
const LONGEST_TICK: Duration = Duration::from_secs(2);

impl Stamp {
    /// Of what was read from disk.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            changed: changed(metadata),
        }
    }

    /// This stamp, or, if a later change could look the same, one that equals nothing on disk.
    #[must_use]
    pub(crate) fn settled_before(self, read: SystemTime) -> Self {
        if self.changed < nanoseconds(read - LONGEST_TICK) {
            self
        } else {
            Self {
                changed: i128::MIN,
                ..self
            }
        }
    }
}

/// The inode's own time: it moves with content, name and permissions, and unlike the modification
/// time nobody can set it back.
#[cfg(unix)]
fn changed(metadata: &Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt as _;
    i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(metadata: &Metadata) -> i128 {
    metadata.modified().map_or(i128::MIN, nanoseconds)
}

fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => i128::try_from(before.duration().as_nanos())
            .map_or(i128::MIN, |nanoseconds| -nanoseconds),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_write_of_another_length_changes_the_stamp() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = Stamp::of(&file.as_file().metadata().unwrap());
        fs::write(file.path(), "x").unwrap();
        assert_ne!(before, Stamp::of(&file.as_file().metadata().unwrap()));
    }

    #[test]
    fn a_file_that_changed_a_moment_ago_is_not_settled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = Stamp::of(&file.as_file().metadata().unwrap());
        let now = SystemTime::now();
        assert_ne!(stamp.settled_before(now), stamp);
        assert_eq!(stamp.settled_before(now + Duration::from_secs(10)), stamp);
    }
}
