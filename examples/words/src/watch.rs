//! The operating system's reports of changes in the directories of a tree.

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

use crate::mutex::lock;

/// How long to wait for reports of changes that have already happened.
const REPORT_TIMEOUT: Duration = Duration::from_millis(50);

/// Watches directories on Linux, which reports changes in order. Elsewhere [`is_unchanged`](Watch::is_unchanged) is always false,
/// and each query checks all files itself.
#[derive(Debug)]
pub(crate) struct Watch {
    root: PathBuf,
    /// `None` if the system refused a watch.
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
    /// The number of reported changes.
    changes: u64,
    /// How many of them have been checked. `None` before the first check.
    checked: Option<u64>,
    /// How often the root was opened.
    root_opened: u64,
}

impl Watch {
    /// Watches nothing yet.
    pub(crate) fn new(root: &Path) -> Self {
        let reports = Arc::new(Reports::default());
        let receiver = Arc::clone(&reports);
        let opened = root.to_owned();
        // On other systems a report may be late, and a query would miss the change.
        let watcher = cfg!(target_os = "linux")
            .then(|| notify::recommended_watcher(move |event| receiver.receive(event, &opened)));
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
        let mut previous = lock(&self.watched);
        let mut watcher = lock(&self.watcher);
        let Some(system) = &mut *watcher else {
            return;
        };
        let mut batch = system.paths_mut();
        for gone in previous.difference(&directories) {
            // The system usually ends the watch of a removed directory. If not, its reports are harmless.
            let _ = batch.remove(gone);
        }
        let mut refused = false;
        for new in &directories {
            // A known path is added again, because it may be a new directory of the same name.
            match batch.add(new, RecursiveMode::NonRecursive).map_err(kind) {
                // An unreadable directory has no indexed files. The parent's watch reports a change of its permissions.
                Ok(()) | Err(Some(io::ErrorKind::PermissionDenied)) => {}
                Err(Some(io::ErrorKind::NotFound)) => lock(&self.reports.counts).changes += 1,
                // The limit of watches is reached.
                Err(_) => {
                    refused = true;
                    break;
                }
            }
        }
        if batch.commit().is_err() || refused {
            // An incomplete set of watches is useless, so all are released for other programs.
            *watcher = None;
            previous.clear();
        } else {
            *previous = directories;
        }
    }

    /// The number of changes that were reported so far.
    pub(crate) fn changes(&self) -> u64 {
        lock(&self.reports.counts).changes
    }

    /// Records that the first `changes` have been checked.
    pub(crate) fn set_checked(&self, changes: u64) {
        lock(&self.reports.counts).checked = Some(changes);
    }

    /// Whether all changes so far have been checked.
    pub(crate) fn is_unchanged(&self) -> bool {
        lock(&self.watcher).is_some() && self.wait_for_reports() && {
            let counts = lock(&self.reports.counts);
            counts.checked == Some(counts.changes)
        }
    }

    /// Waits until all changes so far are reported: it opens the root, and that report comes after the earlier ones.
    fn wait_for_reports(&self) -> bool {
        let before = lock(&self.reports.counts).root_opened;
        let Ok(_root) = File::open(&self.root) else {
            return false;
        };
        let (_counts, timeout) = self
            .reports
            .root_opened
            .wait_timeout_while(lock(&self.reports.counts), REPORT_TIMEOUT, |counts| {
                counts.root_opened == before
            })
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }
}

impl Reports {
    fn receive(&self, event: notify::Result<Event>, root: &Path) {
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
            // After an error, reports may be lost.
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
    fn a_tree_is_unchanged_only_after_a_check_and_before_a_change() {
        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join("file");
        fs::write(&file, "").unwrap();
        let watch = Watch::new(tree.path());
        watch.directories([tree.path().to_owned()].into_iter());
        assert!(!watch.is_unchanged(), "never checked");

        watch.set_checked(watch.changes());
        #[cfg(target_os = "linux")]
        {
            assert!(watch.is_unchanged(), "checked, and nothing has changed");
            fs::read(&file).unwrap();
            assert!(watch.is_unchanged(), "reading is not a change");
            for round in 0..100 {
                fs::write(&file, "x").unwrap();
                assert!(!watch.is_unchanged(), "a write, round {round}");
                watch.set_checked(watch.changes());
                // A second report of the same write may come after the check.
                if !watch.is_unchanged() {
                    watch.set_checked(watch.changes());
                }
                assert!(watch.is_unchanged(), "checked, round {round}");
            }
        }
    }
}
