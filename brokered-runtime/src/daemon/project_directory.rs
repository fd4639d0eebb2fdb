//! [`ProjectDirectory`]: whether the directory that an instance is for still exists.
//!
//! A look at a directory can block for as long as its file system does not answer, so each look has a thread of its own,
//! and no look begins before the last one has ended. Between two looks nothing is open or watched: an open directory
//! would prevent `umount`, and a user has few inotify instances.
//!
//! Only what is certain ends the daemon, and only if a second look agrees. A file system that was unmounted, that does
//! not answer or that fails says nothing about the directory.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::lifecycle::Lifecycle;
use crate::platform::{self, DirectoryIdentity, DirectoryMatch};

/// How long after the start of the supervisor thread the first look begins. The thread of the look would take time from
/// the load and the first reply.
const FIRST_LOOK_DELAY: Duration = Duration::from_millis(100);

/// How long after a first look that found the directory gone the second one follows. A program that replaces a directory
/// by renaming leaves it missing for a moment.
const CONFIRM_DELAY: Duration = Duration::from_secs(2);

/// How many entries of a directory are searched for a renamed one.
const MAX_SEARCHED: usize = 4096;

/// The size of the stack of a look's thread.
const STACK_SIZE: usize = 128 * 1024;

/// The directory of a running daemon's instance.
#[derive(Debug)]
pub(super) struct ProjectDirectory {
    path: Arc<Path>,
    interval: Duration,
    confirm_delay: Duration,
    /// What the path led to when it was first seen.
    known: Option<Arc<Known>>,
    /// The look that has not answered yet.
    look: Option<Receiver<Look>>,
    next_look: Instant,
    /// Whether the last look found the directory gone.
    was_gone: bool,
    /// What was printed last, unless the directory has been in place since.
    notice: Option<String>,
}

/// What a caller has to do after [`ProjectDirectory::update`].
#[derive(Debug)]
pub(super) enum Update {
    /// Print this message.
    Print(String),
    /// End the daemon for this reason.
    End(String),
}

impl ProjectDirectory {
    /// `None` if the daemon is not for a directory.
    pub(super) fn of(lifecycle: &Lifecycle, interval: Duration) -> Option<Self> {
        let instance = lifecycle.instance();
        instance.daemon().is_per_directory().then(|| Self {
            path: instance.directory().into(),
            interval,
            confirm_delay: confirm_delay(),
            known: None,
            look: None,
            next_look: Instant::now() + FIRST_LOOK_DELAY,
            was_gone: false,
            notice: None,
        })
    }

    /// When [`update`](Self::update) has something to do. The answer of a look wakes the supervisor thread, too.
    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Takes the answer of a look, and begins the next look when it is time. Never blocks.
    pub(super) fn update(&mut self, lifecycle: &Arc<Lifecycle>) -> Option<Update> {
        let update = self.take_answer(lifecycle);
        if update.is_some() || Instant::now() < self.next_look {
            return update;
        }
        self.next_look = Instant::now() + self.interval;
        if self.look.is_some() {
            let reason = format!("the file system of {} does not answer", self.path.display());
            return self.notice(lifecycle, &reason);
        }
        self.begin_look(lifecycle);
        None
    }

    fn begin_look(&mut self, lifecycle: &Arc<Lifecycle>) {
        let (sender, receiver) = mpsc::channel();
        let path = Arc::clone(&self.path);
        let known = self.known.clone();
        let waker = Arc::clone(lifecycle);
        let spawned = thread::Builder::new()
            .name("brokered-look".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || {
                let _ = sender.send(Look::at(&path, known));
                waker.wake_supervisor();
            });
        // Without a thread, the next interval tries again.
        if spawned.is_ok() {
            self.look = Some(receiver);
        }
    }

    fn take_answer(&mut self, lifecycle: &Lifecycle) -> Option<Update> {
        let look = match self.look.as_ref()?.try_recv() {
            Ok(look) => look,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                self.look = None;
                return None;
            }
        };
        self.look = None;
        if self.known.is_none() && look.known.is_some() {
            lifecycle.report().add_milestone("directory");
        }
        self.known = look.known;
        match look.finding {
            Finding::InPlace => {
                self.was_gone = false;
                lifecycle.report().set_directory_notice(None);
                let was_printed = self.notice.take().is_some();
                was_printed
                    .then(|| Update::Print(format!("{} is in place again", self.path.display())))
            }
            Finding::Uncertain(reason) => {
                self.was_gone = false;
                self.notice(lifecycle, &reason)
            }
            // The first looks have failed, so it may be unmounted as well.
            Finding::Gone(gone) if self.known.is_none() && self.notice.is_some() => {
                self.notice(lifecycle, &gone.describe(&self.path))
            }
            Finding::Gone(gone) => {
                let reason = gone.describe(&self.path);
                lifecycle
                    .report()
                    .set_directory_notice(Some(reason.clone()));
                if self.was_gone {
                    return Some(Update::End(reason));
                }
                self.was_gone = true;
                self.next_look = Instant::now() + self.confirm_delay;
                None
            }
        }
    }

    /// Reports why the directory cannot be looked at, once.
    fn notice(&mut self, lifecycle: &Lifecycle, reason: &str) -> Option<Update> {
        lifecycle
            .report()
            .set_directory_notice(Some(reason.to_owned()));
        if self.notice.as_deref() == Some(reason) {
            return None;
        }
        self.notice = Some(reason.to_owned());
        Some(Update::Print(format!("{reason}; the daemon keeps running")))
    }
}

/// Only debug builds read the variable. The tests set it.
fn confirm_delay() -> Duration {
    if cfg!(debug_assertions)
        && let Ok(milliseconds) = env::var("BROKERED_TEST_CONFIRM_MS")
        && let Ok(milliseconds) = milliseconds.parse()
    {
        return Duration::from_millis(milliseconds);
    }
    CONFIRM_DELAY
}

/// What a path led to when it was first seen.
#[derive(Debug)]
struct Known {
    directory: DirectoryIdentity,
    /// The parents, up to the root. `None` for one that cannot be looked at.
    parents: Vec<Option<DirectoryIdentity>>,
}

/// The answer of a look.
#[derive(Debug)]
struct Look {
    finding: Finding,
    known: Option<Arc<Known>>,
}

#[derive(Debug)]
enum Finding {
    /// The directory is at its path.
    InPlace,
    /// The directory is not at its path any more.
    Gone(Gone),
    /// Neither can be said, for this reason.
    Uncertain(String),
}

#[derive(Debug)]
enum Gone {
    Removed,
    Replaced,
    /// The directory is at this path now.
    Moved(PathBuf),
}

impl Gone {
    fn describe(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Removed => format!("the directory {path} was removed"),
            Self::Replaced => format!("the directory {path} was replaced by another one"),
            Self::Moved(to) => format!("the directory {path} is now {}", to.display()),
        }
    }
}

impl Look {
    /// Looks at the directory. May block for any time.
    fn at(path: &Path, known: Option<Arc<Known>>) -> Self {
        let Some(known) = known else {
            return match Known::of(path) {
                Ok(Some(known)) => Self {
                    finding: Finding::InPlace,
                    known: Some(Arc::new(known)),
                },
                // It existed when the daemon computed its paths.
                Ok(None) => Self {
                    finding: Finding::Gone(Gone::Removed),
                    known: None,
                },
                Err(error) => Self {
                    finding: unreachable(path, &error),
                    known: None,
                },
            };
        };
        let finding = known.find(path);
        Self {
            finding: finding.unwrap_or_else(|error| unreachable(path, &error)),
            known: Some(known),
        }
    }
}

fn unreachable(path: &Path, error: &io::Error) -> Finding {
    Finding::Uncertain(format!("cannot look at {}: {error}", path.display()))
}

impl Known {
    /// What a path and its parents lead to. `None` if the path leads to nothing.
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let Some(directory) = platform::directory_identity(path)? else {
            return Ok(None);
        };
        let parents = path.ancestors().skip(1);
        let parents = parents.map(|parent| platform::directory_identity(parent).ok().flatten());
        Ok(Some(Self {
            directory,
            parents: parents.collect(),
        }))
    }

    fn find(&self, path: &Path) -> io::Result<Finding> {
        let Some(now) = platform::directory_identity(path)? else {
            return self.find_missing(path);
        };
        Ok(match self.directory.compare(&now, path) {
            DirectoryMatch::Same => match platform::canonicalize(path)? {
                canonical if canonical == path => Finding::InPlace,
                // A parent was moved, and a symbolic link leads to it. Clients follow the link to another instance.
                canonical => Finding::Gone(Gone::Moved(canonical)),
            },
            DirectoryMatch::Other => Finding::Gone(match self.new_place(path) {
                Some(place) => Gone::Moved(place),
                None => Gone::Replaced,
            }),
            DirectoryMatch::OtherFileSystem => unmounted(path),
            DirectoryMatch::Unknown => Finding::Uncertain(format!(
                "{} may have been replaced: its file system does not show whether it is the same directory",
                path.display()
            )),
        })
    }

    /// The path leads to nothing. If the file system on which it was is still there, then the directory is gone.
    fn find_missing(&self, path: &Path) -> io::Result<Finding> {
        let mut below = Some(&self.directory);
        for (parent, known) in path.ancestors().skip(1).zip(&self.parents) {
            let Some(now) = platform::directory_identity(parent)? else {
                below = known.as_ref();
                continue;
            };
            let (Some(below), Some(known)) = (below, known) else {
                break;
            };
            // A mount point that has gone with its file system was unmounted.
            if !below.is_on_file_system_of(known) || !now.is_on_file_system_of(known) {
                break;
            }
            let place = self
                .new_place(path)
                .or_else(|| self.renamed_in(path, parent, below));
            return Ok(Finding::Gone(place.map_or(Gone::Removed, Gone::Moved)));
        }
        Ok(unmounted(path))
    }

    /// Where the directory is now, if a symbolic link at its path or the working directory tells.
    fn new_place(&self, path: &Path) -> Option<PathBuf> {
        let link = platform::canonicalize(path).ok();
        let working_directory = || {
            let now = platform::directory_identity(Path::new(".")).ok()??;
            (now == self.directory).then(|| env::current_dir().ok())?
        };
        link.filter(|place| self.is_at(place))
            .or_else(|| working_directory().filter(|place| self.is_at(place)))
    }

    /// Where the directory is now, if the component that is missing below a parent was renamed there.
    fn renamed_in(&self, path: &Path, parent: &Path, below: &DirectoryIdentity) -> Option<PathBuf> {
        let rest = path.strip_prefix(parent).ok()?;
        let mut rest = rest.components();
        rest.next();
        let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|it| it.is_dir());
        fs::read_dir(parent)
            .ok()?
            .take(MAX_SEARCHED)
            .filter_map(Result::ok)
            .filter(is_directory)
            .map(|entry| entry.path())
            .filter(|entry| is_same(below, entry))
            // Without a rest, `join` would add a separator.
            .map(|entry| entry.components().chain(rest.clone()).collect())
            .find(|place: &PathBuf| self.is_at(place))
    }

    fn is_at(&self, place: &Path) -> bool {
        place.is_absolute() && is_same(&self.directory, place)
    }
}

/// Whether a path leads to a directory, with no difference at all.
fn is_same(known: &DirectoryIdentity, path: &Path) -> bool {
    platform::directory_identity(path).is_ok_and(|now| now.as_ref() == Some(known))
}

fn unmounted(path: &Path) -> Finding {
    Finding::Uncertain(format!(
        "the file system of {} was unmounted, or another one was mounted over it",
        path.display()
    ))
}
