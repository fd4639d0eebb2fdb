//! What the attribute's expansion names. Not for anybody else: it changes without notice.

use std::fmt;
use std::process::{ExitCode, Termination};

use crate::daemon::run::{self, Help};
use crate::daemon::state::{self, LoadFailed};
use crate::{Bound, Daemon, Never, State};

// By a path that no crate but a faked runtime can take over, as `extern crate .. as core` would take over `::core`.
pub use core::{module_path, option_env};

mod sealed {
    /// Keeps a trait's implementations in this file.
    pub trait Sealed {}
}

/// What the process's `main` returns where the attribute has made it, and only there.
#[must_use]
pub struct Exit(ExitCode);

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.0
    }
}

impl Termination for Never {
    fn report(self) -> ExitCode {
        match self {}
    }
}

/// A `main` that the attribute has made.
#[diagnostic::on_unimplemented(
    message = "this `main` is not where the process starts",
    label = "the `main` at the crate's root is another one",
    note = "the other one runs first, before the endpoint is bound; \
            put `#[brokered_daemon]` on the `main` at the root of the binary",
    note = "see brokered_runtime::errors [B105]"
)]
pub trait StartOfTheProcess: sealed::Sealed + Sized {
    /// Compiles if the `main` at the root returns what the attribute's does. Never called.
    fn starts(_main: fn() -> Self) {}
}

impl sealed::Sealed for Exit {}
#[diagnostic::do_not_recommend]
impl StartOfTheProcess for Exit {}

/// The root of a binary, as an array whose length tells whether it is a library's: 0 or 1.
#[diagnostic::on_unimplemented(
    message = "a library has no `main`: no process starts here",
    label = "this belongs to a library",
    note = "whoever calls this function could do anything before it, and the endpoint would not be bound yet; \
            put it into `src/main.rs` or `src/bin/`",
    note = "see brokered_runtime::errors [B106]"
)]
pub trait RootOfABinary: sealed::Sealed {
    /// Named, so that the bound is checked.
    const CHECKED: ();
}

impl<const IS_A_LIBRARY: usize> sealed::Sealed for [(); IS_A_LIBRARY] {}
#[diagnostic::do_not_recommend]
impl RootOfABinary for [(); 0] {
    const CHECKED: () = ();
}

/// Whether a module is at the root, or below it, of the library that cargo compiles: 1 if it is, and 0 otherwise.
///
/// Cargo names binaries and examples, and gives tests and benches a directory; other build systems tell nothing, and
/// are believed. A doctest is compiled under the name of the crate that it documents, and is another crate.
#[must_use]
pub const fn is_a_library(
    module: &str,
    crate_name: Option<&str>,
    binary: Option<&str>,
    test_directory: Option<&str>,
) -> usize {
    match (crate_name, binary, test_directory) {
        (Some(crate_name), None, None) => {
            begins_with_segment(module.as_bytes(), crate_name.as_bytes()) as usize
        }
        _ => 0,
    }
}

const fn begins_with_segment(path: &[u8], segment: &[u8]) -> bool {
    if path.len() < segment.len() {
        return false;
    }
    let (first, rest) = path.split_at(segment.len());
    let mut index = 0;
    while index < segment.len() {
        if first[index] != segment[index] {
            return false;
        }
        index += 1;
    }
    rest.is_empty() || rest[0] == b':'
}

/// What a daemon's `main` takes first.
#[diagnostic::on_unimplemented(
    message = "the first parameter of a brokered `main` is `Bound`, not `{Self}`",
    label = "this is to be `Bound`: the endpoint, bound already",
    note = "write `fn main(bound: Bound, ..)`; state comes after it, by value, and is loaded once the endpoint is bound",
    note = "see brokered_runtime::errors [B104]"
)]
pub trait FirstParameter: sealed::Sealed {
    /// All states have loaded: on to `main`.
    fn take(bound: Bound) -> Self;
}

impl sealed::Sealed for Bound {}
#[diagnostic::do_not_recommend]
impl FirstParameter for Bound {
    fn take(bound: Bound) -> Self {
        state::ready(bound)
    }
}

/// The type of `help = text`.
pub type Text = &'static str;

/// A state that failed to load.
#[derive(Debug)]
pub struct Failed(LoadFailed);

/// Loads a parameter of `main`. [`State`] has a hidden method for this, so that the expansion names nothing but the
/// trait, and the compiler tells what is wrong with an implementation where that stands.
pub(crate) fn load<S: State>(bound: &Bound) -> Result<S, Failed> {
    state::load(bound).map_err(Failed)
}

/// What the path in `cli = path` leads to.
#[derive(Debug)]
pub struct Client<F>(F);

impl<F> Client<F> {
    /// It, to be called.
    #[must_use]
    pub const fn new(cli: F) -> Self {
        Self(cli)
    }
}

/// What [`Client::call`] has returned.
#[derive(Debug)]
pub struct Returned<R>(R);

impl<F: FnOnce() -> R, R> Client<F> {
    /// Calls it, if it is a function that takes nothing.
    pub fn call(self) -> Returned<R> {
        Returned((self.0)())
    }
}

/// What [`OrElse::call`] gives.
#[derive(Debug)]
pub struct NotCalled<F>(F);

/// Where [`Client::call`] can't be had, this one can. A bound on the function would make the compiler speak of the
/// function traits, and there is no telling it what to say of those.
pub trait OrElse<F>: Sized {
    /// Calls nothing.
    fn call(self) -> NotCalled<F>;
}

impl<F> OrElse<F> for Client<F> {
    fn call(self) -> NotCalled<F> {
        NotCalled(self.0)
    }
}

/// What comes of calling `cli`.
#[diagnostic::on_unimplemented(
    message = "`cli` has to be a safe function that takes nothing",
    label = "called as a `main` is: with nothing",
    note = "write `fn cli()`; the process's arguments are in `std::env::args`",
    note = "see brokered_runtime::errors [B115]"
)]
pub trait Called<R> {
    /// What it has returned.
    fn outcome(self) -> Returned<R>;
}

#[diagnostic::do_not_recommend]
impl<R> Called<R> for Returned<R> {
    fn outcome(self) -> Self {
        self
    }
}

/// What a `main`, or the function that is `cli`, may return.
#[diagnostic::on_unimplemented(
    message = "a process can't end with `{Self}`",
    label = "neither `main` nor `cli` can return this",
    note = "they return `()`, `ExitCode`, `!`, or a `Result` of one of these whose error is `Debug`: `std::io::Result<()>`, for one",
    note = "see brokered_runtime::errors [B107]"
)]
pub trait Ending: Sized {
    /// Its exit code; an error has been printed.
    fn report(self) -> ExitCode;

    /// The same of what `cli` has returned: wrapped, so that one that never returns does not make the rest unreachable.
    fn of(returned: Returned<Self>) -> ExitCode {
        returned.0.report()
    }

    /// The same, at the end of a closure in which a load may have failed.
    ///
    /// # Errors
    ///
    /// None.
    fn ended(self) -> Result<ExitCode, Failed> {
        Ok(self.report())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Termination> Ending for T {
    fn report(self) -> ExitCode {
        Termination::report(self)
    }
}

/// What the attribute knows of the program.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    program: run::Program,
    cli: Option<&'a dyn Fn() -> ExitCode>,
}

impl<'a> Program<'a> {
    /// A program that is a daemon and nothing else. What is unknown to other build systems than cargo is told from
    /// the daemon.
    #[must_use]
    pub const fn new(
        daemon: Daemon,
        package: Option<&'static str>,
        version: Option<&'static str>,
        description: Option<&'static str>,
    ) -> Self {
        let package = match package {
            Some(package) => package,
            None => daemon.name(),
        };
        let version = match version {
            Some(version) => version,
            None => "",
        };
        let description = match description {
            Some(description) => description,
            None => "",
        };
        Self {
            program: run::Program {
                daemon,
                package,
                version,
                description,
                help: Help::Generated,
            },
            cli: None,
        }
    }

    /// `help = text`
    #[must_use]
    pub const fn help(mut self, text: &'static str) -> Self {
        self.program.help = Help::Text(text);
        self
    }

    /// `help = none`
    #[must_use]
    pub const fn without_help(mut self) -> Self {
        self.program.help = Help::None;
        self
    }

    /// `cli = path`, called in its branch alone.
    #[must_use]
    pub const fn cli(mut self, cli: &'a dyn Fn() -> ExitCode) -> Self {
        self.cli = Some(cli);
        self
    }
}

impl fmt::Debug for Program<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.program.fmt(f)
    }
}

/// Runs the program: whatever it is to be, `body` is called once the endpoint is bound, or never.
pub fn run(program: Program<'_>, body: impl FnOnce(Bound) -> Result<ExitCode, Failed>) -> Exit {
    Exit(run::run(&program.program, program.cli, |bound| {
        body(bound).map_err(|Failed(failed)| failed)
    }))
}
