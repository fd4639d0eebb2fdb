//! What a daemon can say of itself: its counts, its loads, its progress, its last error.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use super::trace;
use crate::control::{Load, LoadState, Milestone, Status};

/// The longest text of progress, or of an error, that is kept.
const LONGEST: usize = 1024;

/// The most loads that are kept: a state may load others, and those more.
const MOST_LOADS: usize = 256;

/// What a daemon can say of itself.
#[derive(Debug)]
pub(super) struct Report {
    began: Instant,
    served: AtomicU64,
    panics: AtomicU64,
    errors: AtomicU64,
    /// Whether there is progress that nobody was told of.
    is_news: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    progress: Option<String>,
    last_error: Option<String>,
    loads: Vec<(Load, Instant)>,
    milestones: Vec<Milestone>,
}

/// One of the loads of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadNumber(usize);

impl Report {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            served: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            is_news: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    /// Notes that the daemon came past this now.
    pub(super) fn pass(&self, what: &str) {
        trace::passed(what);
        self.pass_at(what, SystemTime::now());
    }

    pub(super) fn pass_at(&self, what: &str, at: SystemTime) {
        self.told().milestones.push(Milestone::new(what, at));
    }

    /// Notes progress. Whether the keeper has to be woken for it, and is not about to look anyway.
    pub(super) fn progress(&self, text: &str) -> bool {
        self.told().progress = Some(shortened(text));
        !self.is_news.swap(true, Ordering::AcqRel)
    }

    /// The progress, if it is news. To be told once.
    pub(super) fn news(&self) -> Option<String> {
        if self.is_news.swap(false, Ordering::AcqRel) {
            self.told().progress.clone()
        } else {
            None
        }
    }

    /// Whether there is progress that nobody was told of.
    pub(super) fn has_update(&self) -> bool {
        self.is_news.load(Ordering::Acquire)
    }

    /// What was said of progress last.
    pub(super) fn latest(&self) -> Option<String> {
        self.told().progress.clone()
    }

    pub(super) fn begin_load(&self, name: &str, in_background: bool) -> LoadNumber {
        let load = Load::new(name.to_owned(), in_background, SystemTime::now());
        let mut told = self.told();
        if told.loads.len() < MOST_LOADS {
            told.loads.push((load, Instant::now()));
            LoadNumber(told.loads.len() - 1)
        } else {
            LoadNumber(usize::MAX)
        }
    }

    /// The load that is noted under one name is that of a state in the background.
    pub(super) fn is_in_background(&self, was: &str, name: &str) -> Option<LoadNumber> {
        let mut told = self.told();
        let (load, _) = told.loads.last_mut()?;
        if load.name != was || load.state != LoadState::Loading {
            return None;
        }
        name.clone_into(&mut load.name);
        load.in_background = true;
        Some(LoadNumber(told.loads.len() - 1))
    }

    pub(super) fn end_load(&self, number: LoadNumber, failed: Option<&str>) {
        if let Some((load, began)) = self.told().loads.get_mut(number.0) {
            let took = began.elapsed();
            load.state = match failed {
                None => LoadState::Loaded { took },
                Some(why) => LoadState::Failed {
                    took,
                    reason: shortened(why),
                },
            };
        }
    }

    /// The same for one that may have become that of a state in the background, which ends later.
    pub(super) fn end_load_in_front(&self, number: LoadNumber, failed: Option<&str>) {
        let is_in_background = self
            .told()
            .loads
            .get(number.0)
            .is_some_and(|(load, _)| load.in_background);
        if !is_in_background || failed.is_some() {
            self.end_load(number, failed);
        }
    }

    /// One connection was served.
    pub(super) fn served(&self) {
        if self.served.fetch_add(1, Ordering::Relaxed) == 0 {
            self.pass("served");
        }
    }

    /// A handler has panicked.
    pub(super) fn panicked(&self, with: &str) {
        self.panics.fetch_add(1, Ordering::Relaxed);
        self.told().last_error = Some(shortened(&format!("a handler panicked: {with}")));
    }

    /// A handler has returned an error.
    pub(super) fn failed(&self, error: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.told().last_error = Some(shortened(&format!("a connection failed: {error}")));
    }

    /// Adds to a status what is known here.
    pub(super) fn fill(&self, status: &mut Status) {
        let told = self.told();
        status.uptime = self.began.elapsed();
        status.connections_served = self.served.load(Ordering::Relaxed);
        status.panics = self.panics.load(Ordering::Relaxed);
        status.errors = self.errors.load(Ordering::Relaxed);
        status.progress.clone_from(&told.progress);
        status.last_error.clone_from(&told.last_error);
        status.loads = told.loads.iter().map(|(load, _)| load.clone()).collect();
        status.milestones.clone_from(&told.milestones);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a text.
fn shortened(text: &str) -> String {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(LONGEST);
        let cut = shortened(&format!("x{long}"));
        assert!(
            cut.len() < LONGEST && cut.len() > LONGEST - 4,
            "{}",
            cut.len()
        );
    }

    #[test]
    fn progress_is_news_once() {
        let report = Report::new();
        assert_eq!(report.news(), None);
        assert!(report.progress("one"));
        assert!(!report.progress("two"), "the keeper is on its way");
        assert_eq!(report.news().as_deref(), Some("two"));
        assert_eq!(report.news(), None);
        assert_eq!(report.latest().as_deref(), Some("two"));
    }
}
