//! [`State`]: what a daemon loads after bind, and how its load is run and reported (step 6).

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use super::bound::Bound;
use super::thread_role::ThreadRole;
use super::trace;
use crate::{Phase, fault, own_daemon};

/// What a daemon loads after its endpoint is bound.
///
/// Each parameter of the annotated `main` after the [`Bound`] is a state. [`load`](State::load) loads them in the order
/// of the parameters, before `main` runs. Clients can already connect, and wait in the backlog for as long as the load
/// takes.
///
/// ```no_run
/// use std::io::{self, Write};
/// use brokered_runtime::{Bound, State, brokered_daemon};
///
/// struct Motto(String);
///
/// impl State for Motto {
///     type Error = io::Error;
///
///     fn load(bound: &Bound) -> Result<Self, io::Error> {
///         let file = bound.instance().directory().join("etc/motd");
///         std::fs::read_to_string(file).map(Motto)
///     }
/// }
///
/// #[brokered_daemon("motto")]
/// fn main(bound: Bound, motto: Motto) -> io::Result<()> {
///     bound.serve(|mut client| client.write_all(motto.0.as_bytes()))
/// }
/// ```
///
/// If the daemon is stopped while it loads, the load has ten seconds to finish; then the process is ended. A long load
/// should check [`Handle::stopping`](crate::Handle::stopping) between its steps.
///
/// # Errors
///
/// A load that fails ends the daemon with exit code 70. Its error, with all causes, is printed and written into the
/// record. The client that started the daemon receives it if it waits for [`WaitFor::Ready`](crate::WaitFor::Ready).
#[diagnostic::on_unimplemented(
    message = "`{Self}` would have to exist before the endpoint is bound",
    label = "`main` takes only what is loaded after bind",
    note = "implement `brokered_runtime::State` for it: `load` runs after bind",
    note = "or remove the parameter, and make the value in `main`",
    note = "see brokered_runtime::errors [B103]"
)]
pub trait State: Sized {
    /// The error of a failed load: an error type, a `String`, or a boxed error.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Loads the state.
    ///
    /// The [`Bound`] gives access to the instance and to progress reports. A load only borrows it, so it cannot accept
    /// clients.
    ///
    /// # Errors
    ///
    /// Any error that prevents the daemon from serving.
    fn load(bound: &Bound) -> Result<Self, Self::Error>;
}

/// A state that failed to load.
#[derive(Debug)]
pub(crate) struct LoadFailed {
    /// The state, the error and all its causes.
    pub(crate) reason: String,
    /// The error number of the system call behind it.
    pub(crate) errno: Option<i32>,
}

impl LoadFailed {
    pub(super) fn of(state: &str, error: &(dyn Error + 'static)) -> Self {
        Self {
            reason: describe(state, error),
            errno: errno_of(error),
        }
    }
}

/// The first error number of a system call in an error and its sources.
fn errno_of(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if let Some(errno) = io.and_then(io::Error::raw_os_error) {
            return Some(errno);
        }
        next = error.source();
    }
    None
}

/// Loads one state, by its [`State::load`].
pub(crate) fn load<S: State>(
    load: fn(&Bound) -> Result<S, S::Error>,
    bound: &Bound,
) -> Result<Box<S>, LoadFailed> {
    let lifecycle = bound.lifecycle();
    lifecycle.enter(Phase::Loading);
    fault::reach("daemon:loading");
    let name = name_of::<S>();
    let index = lifecycle.report().begin_load(&name, false);
    let _span = trace::load(&name);
    let task = own_daemon::begin(Some(own_daemon::Task::Load));
    let _role = ThreadRole::Load(name_of::<S>).enter();
    let loaded =
        load_boxed(load, bound).map_err(|error| LoadFailed::of(&name, error.into().as_ref()));
    drop(task);
    let failure = loaded.as_ref().err().map(|failed| failed.reason.as_str());
    lifecycle.report().end_foreground_load(index, failure);
    loaded
}

/// Calls a [`State::load`], and moves the state to the heap at once: a large one must not be on the stack in the frame
/// of each function that it passes through.
///
/// Not inlined, so that the frame is gone before `main` is called. The load is a type parameter, so that it can be inlined
/// here: the optimiser then loads into the heap. Without optimisation, a `match` would have a copy for each pattern.
#[inline(never)]
pub(super) fn load_boxed<S: State>(
    load: impl FnOnce(&Bound) -> Result<S, S::Error>,
    bound: &Bound,
) -> Result<Box<S>, S::Error> {
    load(bound).map(Box::new)
}

/// The name of a state's type, without paths.
pub(super) fn name_of<S>() -> String {
    without_paths(std::any::type_name::<S>())
}

/// All states have loaded, except those that load in the background.
pub(crate) fn ready(bound: Bound) -> Bound {
    fault::reach("daemon:loaded");
    bound
}

fn describe(state: &str, error: &dyn Error) -> String {
    let mut text = format!("loading {state} failed: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// The name of a type without its paths: `Cache<Index>` for `program::cache::Cache<program::Index>`.
fn without_paths(name: &str) -> String {
    let is_in_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let mut short = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_in_path(c)).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        short.push_str(path.rsplit("::").next().unwrap_or(path));
        let punctuation = after.find(is_in_path).unwrap_or(after.len());
        short.push_str(&after[..punctuation]);
        rest = &after[punctuation..];
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_name_has_no_paths() {
        assert_eq!(without_paths("program::index::Index"), "Index");
        assert_eq!(
            without_paths("a::Cache<b::Key, (c::d::Value, u8)>"),
            "Cache<Key, (Value, u8)>"
        );
        assert_eq!(without_paths("[a::b; 3]"), "[b; 3]");
    }

    #[test]
    fn an_error_is_described_with_its_causes() {
        let inner = io::Error::other("disk on fire");
        let outer = crate::InstanceError::Directory {
            path: "/srv".into(),
            source: inner,
        };
        let text = describe("Index", &outer);
        assert!(text.starts_with("loading Index failed: cannot reach the directory /srv"));
        assert!(text.ends_with("disk on fire"), "{text}");
    }
}
