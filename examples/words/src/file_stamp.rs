//! The stamp of a file, which shows whether the file has changed.

use std::{
    fs::Metadata,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A file's size and the time of its last change, in the resolution of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    /// Nanoseconds since 1970.
    pub(crate) changed: i128,
}

/// The coarsest time resolution of a file system. A file that changes in the tick in which it is read may look unchanged
/// afterwards.
const MAX_TICK: Duration = Duration::from_secs(2);

impl Stamp {
    /// The stamp of a file with this metadata.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            changed: changed(metadata),
        }
    }

    /// This stamp, or one that equals no file's if a later change could have the same stamp.
    #[must_use]
    pub(crate) fn settled_before(self, read: SystemTime) -> Self {
        if self.changed < nanoseconds(read - MAX_TICK) {
            self
        } else {
            Self {
                changed: i128::MIN,
                ..self
            }
        }
    }
}

/// The inode's change time. It changes with content, name and permissions, and programs cannot set it, unlike the
/// modification time.
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
