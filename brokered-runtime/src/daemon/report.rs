//! [`Report`]: what `status` shows of a running daemon: counts, loads, progress, milestones and the last error.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::trace;
use crate::control::{Load, LoadState, Milestone, Status};
use crate::record::Record;

/// How many bytes of a progress text or an error are kept.
const MAX_TEXT: usize = 1024;

/// How many loads are kept. A state can load further states, without a limit.
const MAX_LOADS: usize = 256;

/// The counters and texts behind `status`.
#[derive(Debug)]
pub(super) struct Report {
    began: Instant,
    served: AtomicU64,
    panics: AtomicU64,
    errors: AtomicU64,
    /// How many connections are served at once. 0 without a limit.
    connections_limit: AtomicU64,
    /// Whether the progress text has not been passed on yet.
    has_update: AtomicBool,
    details: Mutex<Details>,
}

#[derive(Debug, Default)]
struct Details {
    progress: Option<String>,
    last_error: Option<String>,
    directory_notice: Option<String>,
    loads: Vec<(Load, Instant)>,
    milestones: Vec<Milestone>,
}

/// The index of a load of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadIndex(usize);

impl Report {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            served: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            connections_limit: AtomicU64::new(0),
            has_update: AtomicBool::new(false),
            details: Mutex::default(),
        }
    }

    /// Adds a milestone that is reached now.
    pub(super) fn add_milestone(&self, milestone: &str) {
        trace::passed(milestone);
        self.add_milestone_at(milestone, SystemTime::now());
    }

    /// Adds a milestone that was reached at this time.
    pub(super) fn add_milestone_at(&self, milestone: &str, at: SystemTime) {
        self.details()
            .milestones
            .push(Milestone::new(milestone, at));
    }

    /// Sets the progress text, and returns whether the supervisor thread must be woken to pass it on.
    pub(super) fn set_progress(&self, text: &str) -> bool {
        self.details().progress = Some(shortened(text));
        !self.has_update.swap(true, Ordering::AcqRel)
    }

    /// Takes the progress text, if it has not been passed on yet.
    pub(super) fn take_update(&self) -> Option<String> {
        if self.has_update.swap(false, Ordering::AcqRel) {
            self.details().progress.clone()
        } else {
            None
        }
    }

    /// Whether the progress text has not been passed on yet.
    pub(super) fn has_update(&self) -> bool {
        self.has_update.load(Ordering::Acquire)
    }

    /// The latest progress text.
    pub(super) fn progress(&self) -> Option<String> {
        self.details().progress.clone()
    }

    /// Adds a load that begins now.
    pub(super) fn begin_load(&self, name: &str, in_background: bool) -> LoadIndex {
        let load = Load::new(name.to_owned(), in_background, SystemTime::now());
        let mut details = self.details();
        if details.loads.len() < MAX_LOADS {
            details.loads.push((load, Instant::now()));
            LoadIndex(details.loads.len() - 1)
        } else {
            LoadIndex(usize::MAX)
        }
    }

    /// Turns the load that began last, `Background<T>`, into the background load of `T`.
    pub(super) fn move_to_background(&self, was: &str, name: &str) -> Option<LoadIndex> {
        let mut details = self.details();
        let (load, _) = details.loads.last_mut()?;
        if load.name != was || load.state != LoadState::Loading {
            return None;
        }
        name.clone_into(&mut load.name);
        load.in_background = true;
        Some(LoadIndex(details.loads.len() - 1))
    }

    /// Ends a load, with the reason if it failed.
    pub(super) fn end_load(&self, index: LoadIndex, failure: Option<&str>) {
        if let Some((load, began)) = self.details().loads.get_mut(index.0) {
            let took = began.elapsed();
            load.state = match failure {
                None => LoadState::Loaded { took },
                Some(why) => LoadState::Failed {
                    took,
                    reason: shortened(why),
                },
            };
        }
    }

    /// Ends a load, unless it continues in the background.
    pub(super) fn end_foreground_load(&self, index: LoadIndex, failure: Option<&str>) {
        let is_in_background = self
            .details()
            .loads
            .get(index.0)
            .is_some_and(|(load, _)| load.in_background);
        if !is_in_background || failure.is_some() {
            self.end_load(index, failure);
        }
    }

    /// Counts a connection that was served.
    pub(super) fn add_served(&self) {
        if self.served.fetch_add(1, Ordering::Relaxed) == 0 {
            self.add_milestone("served");
        }
    }

    /// Counts a handler's panic.
    pub(super) fn add_panic(&self, message: &str) {
        self.panics.fetch_add(1, Ordering::Relaxed);
        self.details().last_error = Some(shortened(&format!("a handler panicked: {message}")));
    }

    /// Counts an error that a handler returned.
    pub(super) fn add_error(&self, error: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.details().last_error = Some(shortened(&format!("a connection failed: {error}")));
    }

    /// Sets why the directory of the instance is not in place, or `None` if it is.
    pub(super) fn set_directory_notice(&self, notice: Option<String>) {
        self.details().directory_notice = notice;
    }

    /// Sets how many connections are served at once.
    pub(super) fn set_connections_limit(&self, limit: usize) {
        self.connections_limit
            .store(limit as u64, Ordering::Relaxed);
    }

    /// Adds the counters and texts to a status.
    pub(super) fn fill(&self, status: &mut Status) {
        let details = self.details();
        status.uptime = self.began.elapsed();
        status.connections_served = self.served.load(Ordering::Relaxed);
        status.panics = self.panics.load(Ordering::Relaxed);
        status.errors = self.errors.load(Ordering::Relaxed);
        let limit = self.connections_limit.load(Ordering::Relaxed);
        status.connections_limit = Some(limit).filter(|limit| *limit > 0);
        status.progress.clone_from(&details.progress);
        status.last_error.clone_from(&details.last_error);
        status
            .directory_notice
            .clone_from(&details.directory_notice);
        status.loads = details.loads.iter().map(|(load, _)| load.clone()).collect();
        status.milestones.clone_from(&details.milestones);
    }

    fn details(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a status that the record holds.
pub(super) fn status_of(record: Record) -> Status {
    Status {
        name: record.name,
        contract: record.contract,
        directory: record.directory,
        instance: record.instance,
        endpoint: record.endpoint,
        pid: record.pid,
        phase: record.phase,
        owner: record.owner.as_str().to_owned(),
        package: record.package,
        version: record.version,
        log: record.log,
        started: record.started,
        uptime: Duration::ZERO,
        connections_open: 0,
        connections_served: 0,
        panics: 0,
        errors: 0,
        connections_limit: None,
        descriptors_open: None,
        descriptors_limit: None,
        descriptor_shortages: 0,
        clients_refused: 0,
        idle_exit: None,
        reloads: 0,
        is_reloading: false,
        reload_refusal: None,
        progress: None,
        waits_for: Vec::new(),
        connected_to: Vec::new(),
        loads: Vec::new(),
        last_error: None,
        directory_notice: None,
        premain: record.premain,
        premain_threads: record.premain_threads,
        milestones: Vec::new(),
    }
}

/// The first [`MAX_TEXT`] bytes of a text, or a little less: a character is never cut.
pub(super) fn shortened(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(MAX_TEXT);
        let cut = shortened(&format!("x{long}"));
        assert!(
            cut.len() < MAX_TEXT && cut.len() > MAX_TEXT - 4,
            "{}",
            cut.len()
        );
    }

    #[test]
    fn progress_is_passed_on_once() {
        let report = Report::new();
        assert_eq!(report.take_update(), None);
        assert!(report.set_progress("one"));
        assert!(
            !report.set_progress("two"),
            "the supervisor thread is already woken"
        );
        assert_eq!(report.take_update().as_deref(), Some("two"));
        assert_eq!(report.take_update(), None);
        assert_eq!(report.progress().as_deref(), Some("two"));
    }
}
