//! Whether anything has changed in the directories of a tree, as the operating system reports it.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};

use crate::sync::lock;

/// How long to wait for reports that are on their way.
const PATIENCE: Duration = Duration::from_millis(50);

/// Watches directories, as far as the system lets it and tells in order, as Linux does: where it does not,
/// nothing is ever [quiet](Watch::is_quiet), and each query looks at all files itself.
#[derive(Debug)]
pub(crate) struct Watch {
    root: PathBuf,
    /// `None` when the system has refused.
    watcher: Mutex<Option<RecommendedWatcher>>,
    watched: Mutex<HashSet<PathBuf>>,
    reports: Arc<Reports>,
}

#[derive(Debug, Default)]
struct Reports {
    counts: Mutex<Counts>,
    root_opened: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    /// Changes reported.
    changes: u64,
    /// Of these, the ones that have been looked into; `None` before the first look.
    seen: Option<u64>,
    /// How many times the root was opened.
    root_opened: u64,
}

impl Watch {
    /// Watches nothing yet.
    pub(crate) fn new(root: &Path) -> Self {
        let reports = Arc::new(Reports::default());
        let receiver = Arc::clone(&reports);
        let opened = root.to_owned();
        // Elsewhere a report may be a moment late, and a query would miss what it is of.
        let watcher = cfg!(target_os = "linux")
            .then(|| notify::recommended_watcher(move |event| receiver.take(event, &opened)));
        Self {
            root: root.to_owned(),
            watcher: Mutex::new(watcher.and_then(Result::ok)),
            watched: Mutex::default(),
            reports,
        }
    }

    /// Watches these directories from now on.
    pub(crate) fn directories(&self, directories: impl Iterator<Item = PathBuf>) {
        let directories: HashSet<PathBuf> = directories.collect();
        let mut earlier = lock(&self.watched);
        let mut watcher = lock(&self.watcher);
        let Some(system) = &mut *watcher else {
            return;
        };
        let mut batch = system.paths_mut();
        for gone in earlier.difference(&directories) {
            // The system has ended this watch when the directory went; if not, its reports do no
            // harm.
            let _ = batch.remove(gone);
        }
        let mut refused = false;
        for new in &directories {
            // Again also where there was one: the directory may be another one of the same name.
            match batch.add(new, RecursiveMode::NonRecursive).map_err(kind) {
                // Of an unreadable directory nothing is known that could change; its permissions
                // are watched in its parent.
                Ok(()) | Err(Some(io::ErrorKind::PermissionDenied)) => {}
                Err(Some(io::ErrorKind::NotFound)) => lock(&self.reports.counts).changes += 1,
                // A limit is reached.
                Err(_) => {
                    refused = true;
                    break;
                }
            }
        }
        if batch.commit().is_err() || refused {
            // Half of the watches are of no use; they go to those who can do with them.
            *watcher = None;
            earlier.clear();
        } else {
            *earlier = directories;
        }
    }

    /// How many changes were reported up to now.
    pub(crate) fn changes(&self) -> u64 {
        lock(&self.reports.counts).changes
    }

    /// Says that the first `changes` have been looked into.
    pub(crate) fn seen(&self, changes: u64) {
        lock(&self.reports.counts).seen = Some(changes);
    }

    /// Whether all that happened up to now has been looked into.
    pub(crate) fn is_quiet(&self) -> bool {
        lock(&self.watcher).is_some() && self.has_caught_up() && {
            let counts = lock(&self.reports.counts);
            counts.seen == Some(counts.changes)
        }
    }

    /// Waits until the reports of all that has happened so far are in: they come in order, and opening
    /// the root is reported, too.
    fn has_caught_up(&self) -> bool {
        let before = lock(&self.reports.counts).root_opened;
        let Ok(_root) = File::open(&self.root) else {
            return false;
        };
        let (_counts, timeout) = self
            .reports
            .root_opened
            .wait_timeout_while(lock(&self.reports.counts), PATIENCE, |counts| {
                counts.root_opened == before
            })
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }
}

impl Reports {
    fn take(&self, event: notify::Result<Event>, root: &Path) {
        let mut counts = lock(&self.counts);
        match event {
            Ok(Event {
                kind: EventKind::Access(AccessKind::Open(_)),
                paths,
                ..
            }) => {
                if paths.iter().any(|path| path == root) {
                    counts.root_opened += 1;
                    self.root_opened.notify_all();
                }
            }
            Ok(Event {
                kind: EventKind::Access(kind),
                ..
            }) if kind != AccessKind::Close(AccessMode::Write) => {}
            // An error may be lost reports.
            Ok(_) | Err(_) => counts.changes += 1,
        }
    }
}

fn kind(error: notify::Error) -> Option<io::ErrorKind> {
    match error.kind {
        notify::ErrorKind::Io(error) => Some(error.kind()),
        notify::ErrorKind::PathNotFound => Some(io::ErrorKind::NotFound),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nothing_is_quiet_before_the_first_look_nor_after_a_change() {
        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join("file");
        fs::write(&file, "").unwrap();
        let watch = Watch::new(tree.path());
        watch.directories([tree.path().to_owned()].into_iter());
        assert!(!watch.is_quiet(), "never looked");

        watch.seen(watch.changes());
        #[cfg(target_os = "linux")]
        {
            assert!(watch.is_quiet(), "looked, and nothing happened");
            fs::read(&file).unwrap();
            assert!(watch.is_quiet(), "reading is no change");
            for round in 0..100 {
                fs::write(&file, "x").unwrap();
                assert!(!watch.is_quiet(), "a write, round {round}");
                watch.seen(watch.changes());
                // The write's later reports may have come after the look.
                if !watch.is_quiet() {
                    watch.seen(watch.changes());
                }
                assert!(watch.is_quiet(), "looked into, round {round}");
            }
        }
    }
}
