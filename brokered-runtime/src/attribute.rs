//! What the attribute's expansion names. Not for anybody else: it changes without notice.

use std::error::Error;
use std::fmt;
use std::process::{ExitCode, Termination};

use crate::daemon::run::{self, Help};
use crate::daemon::state::{self, LoadFailed};
use crate::{Bound, Daemon, Never};

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
            put `#[brokered_daemon]` on the `main` at the root of the binary"
)]
pub trait Start: sealed::Sealed + Sized {
    /// Compiles if the `main` at the root returns what the attribute's does. Never called.
    fn starts(_main: fn() -> Self) {}
}

impl sealed::Sealed for Exit {}
#[diagnostic::do_not_recommend]
impl Start for Exit {}

/// The root of a crate, a library's or not.
#[derive(Debug)]
pub struct Root<const IS_A_LIBRARY: bool>;

/// The root of a binary.
#[diagnostic::on_unimplemented(
    message = "a library has no `main`: no process starts here",
    label = "this is the root of a library",
    note = "whoever calls this function could do anything before it, and the endpoint would not be bound yet; \
            put it into `src/main.rs` or `src/bin/`"
)]
pub trait OfABinary: sealed::Sealed {
    /// Named, so that the bound is checked.
    const CHECKED: ();
}

impl<const IS_A_LIBRARY: bool> sealed::Sealed for Root<IS_A_LIBRARY> {}
#[diagnostic::do_not_recommend]
impl OfABinary for Root<false> {
    const CHECKED: () = ();
}

/// Whether a module is at the root, or below it, of the library that cargo compiles.
///
/// Cargo names binaries and examples, and gives tests and benches a directory; other build systems tell nothing, and
/// are believed. A doctest is compiled under the name of the crate that it documents, and is another crate.
#[must_use]
pub const fn is_a_library(
    module: &str,
    crate_name: Option<&str>,
    binary: Option<&str>,
    test_directory: Option<&str>,
) -> bool {
    match (crate_name, binary, test_directory) {
        (Some(crate_name), None, None) => {
            begins_with_segment(module.as_bytes(), crate_name.as_bytes())
        }
        _ => false,
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
    note = "write `fn main(bound: Bound, ..)`; state comes after it, by value, and is loaded once the endpoint is bound"
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

/// A state that failed to load.
#[derive(Debug)]
pub struct Failed(LoadFailed);

/// Loads a parameter of `main`, by its `State::load`.
///
/// Without `State` as a bound of its own: the expansion names it at the parameter's type already, and the compiler
/// would tell the same error twice.
///
/// # Errors
///
/// If it fails to load.
pub fn load<S, E>(bound: &Bound, load: impl FnOnce(&Bound) -> Result<S, E>) -> Result<S, Failed>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    state::load(bound, load).map_err(Failed)
}

/// What a `main`, or the function that is `cli`, may return.
#[diagnostic::on_unimplemented(
    message = "a process can't end with `{Self}`",
    label = "neither `main` nor `cli` can return this",
    note = "they return `()`, `ExitCode`, `!`, or a `Result` of one of these whose error is `Debug`: `std::io::Result<()>`, for one"
)]
pub trait Ending: Sized {
    /// Its exit code; an error has been printed.
    fn report(self) -> ExitCode;

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
