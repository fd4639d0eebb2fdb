//! [`State`]: what a daemon loads once it is bound.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use super::bound::Bound;
use super::trace;
use crate::{Phase, fault};

/// What a daemon loads once its endpoint is bound.
///
/// A parameter of the annotated `main`, after the [`Bound`], is loaded by [`load`](State::load) before
/// `main` runs, in the order of the parameters. Clients are connected by then and wait, however long it
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
/// A daemon that is asked to end while it loads has ten seconds to finish loading; then it is ended. A long load
/// looks at [`Handle::stopping`](crate::Handle::stopping) between its steps.
///
/// # Errors
///
/// A load that fails ends the daemon with exit code 70. Its error, and what caused it, is printed, kept in
/// the record, and told to the client that started the daemon if it waits for
/// [`WaitFor::Ready`](crate::WaitFor::Ready).
#[diagnostic::on_unimplemented(
    message = "`{Self}` would have to exist before the endpoint is bound",
    label = "a daemon's `main` gets only what is loaded after bind",
    note = "implement `brokered_runtime::State` for it: its `load(bound: &Bound)` runs once clients can connect",
    note = "or take the parameter off, and make the value inside `main`",
    note = "see brokered_runtime::errors [B103]"
)]
pub trait State: Sized {
    /// What can go wrong: an error type, a `String`, a boxed error.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Loads the state. The [`Bound`] tells which instance this is; it can be looked at and not
    /// consumed, so clients cannot be accepted from here.
    ///
    /// # Errors
    ///
    /// Whatever prevents the daemon from serving.
    fn load(bound: &Bound) -> Result<Self, Self::Error>;
}

/// A state that failed to load.
#[derive(Debug)]
pub(crate) struct LoadFailed {
    /// What failed, why, and what caused that.
    pub(crate) why: String,
    /// The number of the system's error behind it.
    pub(crate) errno: Option<i32>,
}

impl LoadFailed {
    pub(super) fn of(state: &str, error: &(dyn Error + 'static)) -> Self {
        Self {
            why: describe(state, error),
            errno: errno_of(error),
        }
    }
}

/// The number of the system's error that is behind an error.
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
) -> Result<S, LoadFailed> {
    let lifecycle = bound.lifecycle();
    lifecycle.enter(Phase::Loading);
    fault::pass("daemon:loading");
    let name = name_of::<S>();
    let number = lifecycle.report().begin_load(&name, false);
    let _span = trace::load(&name);
    let loaded = load(bound).map_err(|error| LoadFailed::of(&name, error.into().as_ref()));
    let failed = loaded.as_ref().err().map(|failed| failed.why.as_str());
    lifecycle.report().end_load_in_front(number, failed);
    loaded
}

/// A state's name, as its author writes it.
pub(super) fn name_of<S>() -> String {
    without_paths(std::any::type_name::<S>())
}

/// All states have loaded, but for those in the background.
pub(crate) fn ready(bound: Bound) -> Bound {
    fault::pass("daemon:loaded");
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

/// A type's name as it is written: `Cache<Index>` for `program::cache::Cache<program::Index>`.
fn without_paths(name: &str) -> String {
    let is_of_a_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let mut short = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_a_path(c)).unwrap_or(rest.len());
        let (path, behind) = rest.split_at(end);
        short.push_str(path.rsplit("::").next().unwrap_or(path));
        let punctuation = behind.find(is_of_a_path).unwrap_or(behind.len());
        short.push_str(&behind[..punctuation]);
        rest = &behind[punctuation..];
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_called_what_its_author_calls_it() {
        let said = |name| without_paths(name);
        assert_eq!(said("program::index::Index"), "Index");
        assert_eq!(
            said("a::Cache<b::Key, (c::d::Value, u8)>"),
            "Cache<Key, (Value, u8)>"
        );
        assert_eq!(said("[a::b; 3]"), "[b; 3]");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let inner = io::Error::other("disk on fire");
        let outer = crate::InstanceError::Directory {
            path: "/srv".into(),
            source: inner,
        };
        let said = describe("Index", &outer);
        assert!(said.starts_with("loading Index failed: cannot reach the directory /srv"));
        assert!(said.ends_with("disk on fire"), "{said}");
    }
}
