//! The daemon that this process is, and the threads that its readiness depends on.
//!
//! A load that waits until its own daemon is ready waits for itself. So does a load that waits for another daemon whose
//! load waits for this one. Client calls ask here whether they are made by such a thread, and for what the others wait.
//! In a process that is no daemon this costs one atomic load.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

/// A process is a daemon only once.
static OWN: OnceLock<OwnDaemon> = OnceLock::new();

#[derive(Debug)]
struct OwnDaemon {
    instance_directory: PathBuf,
    /// A child that is forked without `exec` is not the daemon.
    pid: u32,
    main_accepts: AtomicBool,
    /// The instance directories of the daemons that threads wait for before this one can be ready.
    awaited: Mutex<Vec<PathBuf>>,
    /// The instance directories of the daemons that loads have connected to, with the threads of the loads.
    connected: Mutex<Vec<(ThreadId, PathBuf)>>,
}

/// What a thread does before the daemon can be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// It runs `main`, which has not begun to accept clients. Until then no client gets a reply.
    Main,
    /// It loads a state before `main`.
    Load,
    /// It loads a state while clients are served.
    BackgroundLoad,
}

thread_local! {
    static TASK: Cell<Option<Task>> = const { Cell::new(None) };
}

/// This process has become the daemon of an instance directory. The calling thread will run `main`.
pub(crate) fn set(instance_directory: &Path) {
    let _ = OWN.set(OwnDaemon {
        instance_directory: instance_directory.to_owned(),
        pid: process::id(),
        main_accepts: AtomicBool::new(false),
        awaited: Mutex::default(),
        connected: Mutex::default(),
    });
    TASK.set(Some(Task::Main));
}

/// `main` begins to accept clients.
pub(crate) fn set_main_accepts() {
    if let Some(own) = OWN.get() {
        own.main_accepts.store(true, Ordering::Release);
    }
}

/// Sets the task of this thread, until the result is dropped.
pub(crate) fn begin(task: Option<Task>) -> TaskGuard {
    TaskGuard(TASK.replace(task))
}

/// Records that this thread has connected to the daemon of an instance directory, until its task ends. It may wait for a
/// reply.
pub(crate) fn add_connected(instance_directory: &Path) {
    if let (Some(own), Some(Task::Load | Task::BackgroundLoad)) = (OWN.get(), task()) {
        let entry = (thread::current().id(), instance_directory.to_owned());
        let mut connected = locked(&own.connected);
        if !connected.contains(&entry) {
            connected.push(entry);
        }
    }
}

/// The instance directories of the daemons that loads have connected to.
pub(crate) fn connected() -> Vec<PathBuf> {
    let connected = OWN.get().map(|own| locked(&own.connected));
    let directories = connected.iter().flat_map(|entries| entries.iter());
    sorted(
        directories
            .map(|(_, directory)| directory.clone())
            .collect(),
    )
}

/// Restores the task that the thread had before.
#[derive(Debug)]
pub(crate) struct TaskGuard(Option<Task>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        TASK.set(self.0);
        // In a forked child, another thread may have held the mutex at the fork.
        if let Some(own) = OWN.get().filter(|own| own.pid == process::id()) {
            let this = thread::current().id();
            locked(&own.connected).retain(|(thread, _)| *thread != this);
        }
    }
}

/// What this thread does before its daemon can be ready. `None` for every other thread.
pub(crate) fn task() -> Option<Task> {
    let own = OWN.get()?;
    match TASK.get()? {
        Task::Main if own.main_accepts.load(Ordering::Acquire) => None,
        task => (own.pid == process::id()).then_some(task),
    }
}

/// Whether this process is the daemon of an instance directory.
pub(crate) fn is(instance_directory: &Path) -> bool {
    OWN.get()
        .is_some_and(|own| own.instance_directory == instance_directory && own.pid == process::id())
}

/// The instance directory of the daemon that this process is.
pub(crate) fn instance_directory() -> Option<&'static Path> {
    OWN.get().map(|own| own.instance_directory.as_path())
}

/// Records that this thread waits for the daemon of an instance directory, until the result is dropped. `None` if no
/// daemon's readiness depends on that.
pub(crate) fn begin_wait(instance_directory: &Path) -> Option<WaitGuard> {
    task()?;
    let own = OWN.get()?;
    locked(&own.awaited).push(instance_directory.to_owned());
    Some(WaitGuard {
        own,
        instance_directory: instance_directory.to_owned(),
    })
}

/// The instance directories of the daemons that this one waits for before it can be ready.
pub(crate) fn awaited() -> Vec<PathBuf> {
    sorted(
        OWN.get()
            .map_or_else(Vec::new, |own| locked(&own.awaited).clone()),
    )
}

fn sorted(mut directories: Vec<PathBuf>) -> Vec<PathBuf> {
    directories.sort_unstable();
    directories.dedup();
    directories
}

/// Ends the wait when it is dropped.
#[derive(Debug)]
pub(crate) struct WaitGuard {
    own: &'static OwnDaemon,
    instance_directory: PathBuf,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        let mut awaited = locked(&self.own.awaited);
        if let Some(index) = awaited
            .iter()
            .position(|one| *one == self.instance_directory)
        {
            awaited.swap_remove(index);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
