//! The items that an expansion of `#[brokered_daemon]` names.
//!
//! They are public because the expansion is part of another crate. They can change in every release. The compiler
//! shows the names of the traits to users, in its errors.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::process::{ExitCode, Termination};

use crate::daemon::run::{self, Help};
use crate::daemon::state::{self, LoadFailed};
use crate::{Bound, Daemon, Never, State};

// `::core` would not do: `extern crate .. as core` in the user's crate takes that path over.
pub use core::{cfg, module_path, option_env};

mod sealed {
    /// Limits the implementations of a trait to this file.
    pub trait Sealed {}

    /// A type that other crates can't name.
    #[derive(Debug)]
    pub struct Seal;
}

/// The return type of the `main` that the attribute generates. Only `run` makes one.
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

/// The first argument of the attribute, unless it is a string literal: an expression of the type [`Daemon`].
#[diagnostic::on_unimplemented(
    message = "the first argument of `#[brokered_daemon]` is a `Daemon`, not `{Self}`",
    label = "expected a `Daemon`",
    note = "to use a name from a constant, write `Daemon::new(NAME)`",
    note = "only a string literal is a name by itself",
    note = "see brokered_runtime::errors [B117]"
)]
pub trait DaemonArgument: sealed::Sealed + Sized {
    /// Ties the type of an [`Argument`] to this trait.
    const TYPE: ArgumentType<Self>;
}

impl sealed::Sealed for Daemon {}
#[diagnostic::do_not_recommend]
impl DaemonArgument for Daemon {
    const TYPE: ArgumentType<Self> = ArgumentType(PhantomData);
}

// With a single implementation the compiler would infer `Daemon` too early, and report mismatched types.
impl sealed::Sealed for Never {}
#[diagnostic::do_not_recommend]
impl DaemonArgument for Never {
    const TYPE: ArgumentType<Self> = ArgumentType(PhantomData);
}

/// The type of an [`Argument`].
#[derive(Clone, Copy, Debug)]
pub struct ArgumentType<T>(PhantomData<T>);

/// The value of the first argument.
///
/// A constant can't call the method of a trait. So [`daemon`](Argument::daemon) is an inherent method of the one right
/// type. For all other types, auto-dereferencing finds the method of [`OtherArgument`], and [`DaemonArgument`] is all
/// that the compiler misses.
#[derive(Clone, Copy, Debug)]
pub struct Argument<T>(T);

impl<T> Argument<T> {
    /// Takes the argument, and its type, which the compiler checks.
    #[must_use]
    pub const fn new(_: ArgumentType<T>, argument: T) -> Self {
        Self(argument)
    }
}

impl Argument<Daemon> {
    /// The daemon.
    #[must_use]
    pub const fn daemon(self) -> Daemon {
        self.0
    }
}

impl<T> Deref for Argument<T> {
    type Target = OtherArgument;

    fn deref(&self) -> &OtherArgument {
        &OtherArgument(())
    }
}

/// An argument of another type than [`Daemon`]. The compiler refuses it.
#[derive(Debug)]
pub struct OtherArgument(());

impl OtherArgument {
    /// Never called.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        unreachable!("the compiler refuses the argument")
    }
}

/// The function with which the process starts: the `main` that the attribute generates.
#[diagnostic::on_unimplemented(
    message = "this `main` is not where the process starts",
    label = "the process starts with the `main` at the crate's root",
    note = "that `main` runs first, before the endpoint is bound",
    note = "put `#[brokered_daemon]` on the `main` at the root of the binary",
    note = "see brokered_runtime::errors [B105]"
)]
pub trait ProcessEntry: Sized {
    /// Seals the trait. A sealed supertrait would be what the compiler speaks of.
    const SEAL: sealed::Seal;

    /// Compiles if the function at the root returns what the attribute's does. Never called.
    fn check(self) {}
}

#[diagnostic::do_not_recommend]
impl<F: FnOnce() -> Exit> ProcessEntry for F {
    const SEAL: sealed::Seal = sealed::Seal;
}

/// A target of cargo's that becomes an executable.
#[diagnostic::on_unimplemented(
    message = "a library has no `main`: no process starts here",
    label = "this belongs to a library",
    note = "code that calls this function could run before the endpoint is bound",
    note = "move the function to `src/main.rs` or `src/bin/`",
    note = "see brokered_runtime::errors [B106]"
)]
pub trait BinaryTarget: sealed::Sealed {
    /// Named by the expansion, so that the compiler checks the bound.
    const CHECKED: ();
}

/// A binary, an example, a test or a benchmark.
#[derive(Debug)]
pub struct Binary(());

/// A library of any kind.
#[derive(Debug)]
pub struct Library(());

impl sealed::Sealed for Binary {}
#[diagnostic::do_not_recommend]
impl BinaryTarget for Binary {
    const CHECKED: () = ();
}

/// The target that the compiler works on.
#[derive(Debug)]
pub struct Target<const IS_LIBRARY: bool>(());

/// Selects [`Binary`] or [`Library`].
pub trait TargetKind: sealed::Sealed {
    /// The one or the other.
    type Kind;
}

impl<const IS_LIBRARY: bool> sealed::Sealed for Target<IS_LIBRARY> {}

impl TargetKind for Target<false> {
    type Kind = Binary;
}

impl TargetKind for Target<true> {
    type Kind = Library;
}

/// Whether cargo compiles a library, and `module` is part of it.
///
/// Cargo sets a variable of its own for binaries and examples, and another for tests and benchmarks. Other build
/// systems set none of them, and their targets count as binaries. A doctest has another crate's name than the library
/// that it documents.
#[must_use]
pub const fn is_library(
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

/// The type of the first parameter of a daemon's `main`: [`Bound`].
#[diagnostic::on_unimplemented(
    message = "the first parameter of a brokered `main` is `Bound`, not `{Self}`",
    label = "expected `Bound`, the endpoint that is already bound",
    note = "write `fn main(bound: Bound, ..)`; the states come after it, by value",
    note = "see brokered_runtime::errors [B104]"
)]
pub trait FirstParameter: sealed::Sealed {
    /// Makes the argument, once all states are loaded.
    fn after_loading(bound: Bound) -> Self;
}

impl sealed::Sealed for Bound {}
#[diagnostic::do_not_recommend]
impl FirstParameter for Bound {
    fn after_loading(bound: Bound) -> Self {
        state::ready(bound)
    }
}

/// The type of `help = text`.
pub type HelpText = &'static str;

/// A state that failed to load.
#[derive(Debug)]
pub struct LoadError(LoadFailed);

/// Loads a parameter of `main`. In the box, a large state does not fill the stack.
///
/// The expansion names the method by its trait, at the user's type: the compiler then reports a missing implementation
/// there, in the words of [`State`].
///
/// # Errors
///
/// The state failed to load.
pub fn load<S: State>(
    load: fn(&Bound) -> Result<S, S::Error>,
    bound: &Bound,
) -> Result<Box<S>, LoadError> {
    state::load(load, bound).map_err(LoadError)
}

/// Calls the closure that takes the states out of their boxes and calls the user's function.
///
/// The states are then on the stack, as arguments. In a frame of its own, which begins once all states have loaded, they
/// take no stack from the loads.
///
/// # Errors
///
/// Those of the closure.
#[inline(never)]
pub fn call_main(
    main: impl FnOnce() -> Result<ExitCode, LoadError>,
) -> Result<ExitCode, LoadError> {
    main()
}

/// What `cli = path` names.
///
/// With a bound on its type, the compiler would speak of `FnOnce` instead of `cli`. So [`call`](Cli::call) is a method
/// of functions only. For all other types, auto-dereferencing finds the method of [`NotCallable`], and [`CliFunction`]
/// is all that the compiler misses.
#[derive(Debug)]
pub struct Cli<F>(NotCallable<F>);

impl<F> Cli<F> {
    /// Takes the function.
    #[must_use]
    pub const fn new(cli: F) -> Self {
        Self(NotCallable(cli))
    }
}

impl<F: FnOnce() -> R, R> Cli<F> {
    /// Calls the function.
    pub fn call(self) -> Returned<R> {
        Returned(self.0.0())
    }
}

impl<F> Deref for Cli<F> {
    type Target = NotCallable<F>;

    fn deref(&self) -> &NotCallable<F> {
        &self.0
    }
}

/// A value that can't be called without arguments. The compiler refuses it.
#[derive(Debug)]
pub struct NotCallable<F>(F);

impl<F> NotCallable<F> {
    /// Never called.
    pub fn call(&self) -> F {
        unreachable!("the compiler refuses the function")
    }
}

/// What the function that `cli` names returned. The compiler calls the code after a function that never returns
/// unreachable; in this wrapper the `!` does not show.
#[derive(Debug)]
pub struct Returned<R>(R);

/// The function that `cli` names, once it is called.
#[diagnostic::on_unimplemented(
    message = "`cli` has to be a safe function that takes nothing",
    label = "it is called without arguments, as a `main` is",
    note = "write `fn cli()`; the process's arguments are in `std::env::args`",
    note = "see brokered_runtime::errors [B115]"
)]
pub trait CliFunction<R> {
    /// What it returned.
    fn outcome(self) -> Returned<R>;
}

#[diagnostic::do_not_recommend]
impl<R> CliFunction<R> for Returned<R> {
    fn outcome(self) -> Self {
        self
    }
}

/// A type that `main`, or the function that `cli` names, can return.
#[diagnostic::on_unimplemented(
    message = "a process can't end with `{Self}`",
    label = "neither `main` nor `cli` can return this",
    note = "return `()`, `ExitCode`, `!`, or a `Result` of one of these",
    note = "the error of a `Result` must implement `Debug`",
    note = "see brokered_runtime::errors [B107]"
)]
pub trait MainReturn: Sized {
    /// Prints an error, if it is one, and returns the exit code.
    fn exit_code(self) -> ExitCode;

    /// The same for what `cli` returned.
    fn exit_code_of(returned: Returned<Self>) -> ExitCode {
        returned.0.exit_code()
    }

    /// The same at the end of a closure that also returns the error of a failed load.
    ///
    /// # Errors
    ///
    /// None.
    fn exit_code_after_loading(self) -> Result<ExitCode, LoadError> {
        Ok(self.exit_code())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Termination> MainReturn for T {
    fn exit_code(self) -> ExitCode {
        self.report()
    }
}

/// The program, as the attribute describes it.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    program: run::Program,
    cli: Option<&'a dyn Fn() -> ExitCode>,
}

impl<'a> Program<'a> {
    /// A program without a command line of its own. Build systems other than cargo do not set the package's name;
    /// the daemon's name takes its place.
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
                panics_abort: false,
            },
            cli: None,
        }
    }

    /// Whether the executable is built with `panic = "abort"`. The crates that it uses need not be.
    #[must_use]
    pub const fn panics_abort(mut self, panics_abort: bool) -> Self {
        self.program.panics_abort = panics_abort;
        self
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

    /// `cli = path`, called only in a process that is not the daemon.
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

/// Runs the process. If it is the daemon, `body` is called once the endpoint is bound.
pub fn run(program: Program<'_>, body: impl FnOnce(Bound) -> Result<ExitCode, LoadError>) -> Exit {
    Exit(run::run(&program.program, program.cli, |bound| {
        body(bound).map_err(|LoadError(failed)| failed)
    }))
}
