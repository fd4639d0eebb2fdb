//! The attribute of `brokered-runtime`: a `main` that is bound before it runs.
//!
//! Depend on `brokered-runtime`, which re-exports it.

#![forbid(unsafe_code)]

mod attribute;
mod catalogue;
mod check;
mod expand;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a daemon of `main`: it runs once the endpoint is bound, and not before.
///
/// ```no_run
/// use std::io::{self, Write};
///
/// use brokered_runtime::{Bound, brokered_daemon};
///
/// #[brokered_daemon("hello")]
/// fn main(bound: Bound) -> io::Result<()> {
///     bound.serve(|mut client| client.write_all(b"hello\n"))
/// }
/// ```
///
/// # The promise
///
/// **No safe code of this crate runs before its endpoint is bound, and the compiler is the one that says so.** A
/// client that has been let in while the daemon is still loading waits for it, instead of timing out and starting
/// another one.
///
/// The daemon's name and all else that is known of it are constants. What it loads is a parameter of `main`, and a
/// parameter is made from a [`Bound`], which exists only once the endpoint is bound.
///
/// # Without the attribute
///
/// This is what becomes of the daemon above, in outline:
///
/// ```text
/// fn main() -> Exit {
///     const __BROKERED_DAEMON: Daemon = Daemon::new("hello");
///     const _: /* the compiler checks that the process starts with this very function */
///     run(__BROKERED_DAEMON, |bound| {
///         fn __brokered_main(bound: Bound) -> io::Result<()> {
///             bound.serve(|mut client| client.write_all(b"hello\n"))
///         }
///         __brokered_main(bound)
///     })
/// }
/// ```
///
/// Why is it not just that function, `run(DAEMON, |bound| ..)`, for everybody to call? Because of the line that
/// somebody puts above the call one day:
///
/// ```text
/// fn main() {
///     let index = Index::open("/var/lib/index");       // three seconds, and nobody can connect
///     run(INDEXD, |bound| serve(bound, index));
/// }
/// ```
///
/// With the attribute there is no place for such a line. Whoever wants to hand the index in all the same, as a parameter,
/// is told where it belongs:
///
/// ```text
/// error[E0277]: `Index` would have to exist before the endpoint is bound
///  --> src/main.rs:6:30
///   |
/// 6 | fn main(bound: Bound, index: Index) -> std::io::Result<()> {
///   |                              ^^^^^ a daemon's `main` gets only what is loaded after bind
///   |
/// help: the trait `State` is not implemented for `Index`
///  --> src/main.rs:3:1
///   |
/// 3 | struct Index;
///   | ^^^^^^^^^^^^
///   = note: implement `brokered_runtime::State` for it: its `load(bound: &Bound)` runs once clients can connect
///   = note: or take the parameter off, and make the value inside `main`
///   = note: see brokered_runtime::errors [B103]
/// ```
///
/// # What the compiler refuses
///
/// A value that would have to be there first, as above. Whatever would have to run to know which daemon this is:
///
/// ```text
/// error[E0015]: cannot call non-const function `configured` in constants
///  --> src/main.rs:8:19
///   |
/// 8 | #[brokered_daemon(configured())]
///   |                   ^^^^^^^^^^^^
///   |
/// note: function `configured` is not const
///  --> src/main.rs:3:1
///   |
/// 3 | fn configured() -> Daemon {
///   | ^^^^^^^^^^^^^^^^^^^^^^^^^
///   = note: calls in constants are limited to constant functions, tuple structs and tuple variants
/// ```
///
/// A `main` that something else runs before:
///
/// ```text
/// error[E0277]: this `main` is not where the process starts
///  --> src/main.rs:7:8
///   |
/// 7 |     fn main(bound: Bound) -> std::io::Result<()> {
///   |        ^^^^ the `main` at the crate's root is another one
///   |
///   = help: the trait `brokered_runtime::__private::StartOfTheProcess` is not implemented for `()`
///   = note: the other one runs first, before the endpoint is bound; put `#[brokered_daemon]` on the `main` at the root of the binary
///   = note: see brokered_runtime::errors [B105]
/// ```
///
/// Each refusal has a code, at the end of its message, and the [index of errors] has a program for each, with the one that is
/// meant. A mistake in the arguments or in the function's signature is one error, at the word that is wrong. What is wrong in
/// the body is reported as it would be without the attribute: it is handed on as it is, half typed or not.
///
/// # Arguments
///
/// The daemon comes first: a string literal, which is its name, or an expression that the compiler can evaluate to a
/// [`Daemon`]. With a constant, the clients can share it:
///
/// ```no_run
/// use brokered_runtime::{Bound, Daemon, brokered_daemon};
///
/// pub const WORDS: Daemon = Daemon::new("words").per_directory();
///
/// #[brokered_daemon(WORDS)]
/// fn main(bound: Bound) {
///     for client in bound.incoming() {
///         drop(client);
///     }
/// }
/// ```
///
/// A function that is no `const fn`, a `LazyLock`, a file that is read: all of that is a compile error, in an option
/// as in the daemon.
///
/// ```compile_fail,E0015
/// # use brokered_runtime::{Bound, Daemon, brokered_daemon};
/// fn configured() -> Daemon {
///     println!("this would run before bind");
///     Daemon::new("indexd")
/// }
///
/// #[brokered_daemon(configured())]
/// fn main(_: Bound) {}
/// ```
///
/// Options follow, in any order:
///
/// | option | what it says |
/// |---|---|
/// | `cli = path` | A function for all processes that are *not* the daemon: one binary is both the daemon and its client. It takes nothing and returns what a `main` may return. The daemon is the process that a client's `connect_or_spawn` has started, or one with `BROKERED_ROLE=daemon` in its environment. |
/// | `help = "text"` | What a lone `--help` prints, instead of the text made from the package and the daemon; any constant `&'static str`, such as `include_str!("help.txt")`. |
/// | `help = none` | `--help` and `--version` are the daemon's own arguments. |
/// | `crate = path` | Where `brokered_runtime` is found, if the dependency has another name. |
///
/// # One binary
///
/// With `cli =`, the daemon and its command line are one program, in one file:
///
/// ```no_run
/// use std::error::Error;
/// use std::io::{self, Write};
///
/// use brokered_runtime::{Bound, Daemon, brokered_daemon};
///
/// const HELLO: Daemon = Daemon::new("hello");
///
/// #[brokered_daemon(HELLO, cli = cli)]
/// fn main(bound: Bound) -> io::Result<()> {
///     bound.serve(|mut client| client.write_all(b"hello\n"))
/// }
///
/// fn cli() -> Result<(), Box<dyn Error>> {
///     let mut daemon = HELLO.instance().connect_or_spawn()?;
///     io::copy(&mut daemon, &mut io::stdout())?;
///     Ok(())
/// }
/// ```
///
/// # Parameters
///
/// The first is [`Bound`], the endpoint. Each further one is a [`State`], taken by value: it is loaded in the order of
/// the parameters, after bind and before the body runs. Where one fails to load, the error is printed and the process
/// ends with exit code 70. A parameter under `#[cfg(..)]` is loaded where it is there.
///
/// ```no_run
/// use std::io::{self, Write};
///
/// use brokered_runtime::{Bound, State, brokered_daemon};
///
/// struct Motd(String);
///
/// impl State for Motd {
///     type Error = io::Error;
///
///     fn load(_: &Bound) -> Result<Self, Self::Error> {
///         std::fs::read_to_string("/etc/motd").map(Self)
///     }
/// }
///
/// #[brokered_daemon("motd")]
/// fn main(bound: Bound, Motd(text): Motd) -> io::Result<()> {
///     bound.serve(move |mut client| client.write_all(text.as_bytes()))
/// }
/// ```
///
/// # What it returns
///
/// Whatever a `main` may return, [`Termination`](std::process::Termination): `()`, `ExitCode`, `!`, `Result`s of these.
/// An error is printed with its `Debug`, and ends the process with exit code 1.
///
/// # Async
///
/// The executor's own attribute goes *below* this one. Its runtime starts after bind, and after the states have
/// loaded.
///
/// ```no_run
/// use brokered_runtime::{Bound, brokered_daemon};
///
/// #[brokered_daemon("indexd")]
/// #[tokio::main(flavor = "current_thread")]
/// async fn main(bound: Bound) {
///     // ..
/// #   drop(bound);
/// }
/// ```
///
/// Above it, an attribute that starts its runtime first has no `Bound` to hand on: tokio's refuses a `main` with
/// parameters. (Those of actix and compio put the runtime into the body, and it starts after bind all the same.) For an
/// executor without an attribute, a plain `fn main` blocks on it.
///
/// # Beside other attributes
///
/// `cfg`, documentation, lint levels and `deprecated` go to the `main` that the process starts with. All others stay on
/// the function as it is written, in their order; one that expands to statements has them run after bind. What lets
/// others call the function, `#[test]` or `#[no_mangle]`, is refused, above it and within its body.
///
/// # Where it may stand
///
/// On the `main` of a process, at the root of its crate: of a binary, an example, a test or a bench without a harness.
/// Not in a module or a function, where it would not be the process's start, and not in a library: somebody could call
/// it after doing other things. There is one daemon in a process: where `main` is called again, the process ends
/// with exit code 70.
///
/// # Testing
///
/// A [`State`] is tested without a daemon around it: with the feature `testing`, [`testing::bound`] gives a real `Bound`
/// in a fresh directory, and [`testing::launch`] starts the daemon itself, in a place of its own.
///
/// ```
/// # use std::error::Error;
/// # use brokered_runtime::{Bound, Daemon, State, testing};
/// # const INDEXD: Daemon = Daemon::new("indexd");
/// # struct Index;
/// # impl State for Index {
/// #     type Error = std::convert::Infallible;
/// #     fn load(_: &Bound) -> Result<Self, Self::Error> { Ok(Self) }
/// # }
/// # impl Index { fn len(&self) -> usize { 0 } }
/// # // In a test: #[test]
/// fn an_empty_directory_has_an_empty_index() -> Result<(), Box<dyn Error>> {
///     let bound = testing::bound(INDEXD)?;
///     assert_eq!(Index::load(&bound)?.len(), 0);
///     Ok(())
/// }
/// # an_empty_directory_has_an_empty_index().unwrap();
/// ```
///
/// # Platforms
///
/// What the compiler refuses is the same on every platform. The daemon itself is tested on Linux, and for Windows under
/// Wine. For macOS and FreeBSD it is type-checked, and tested on Linux without what only Linux has. [What differs] is a
/// table.
///
/// # What it cannot see
///
/// The promise is about the safe code of your crate, and it is against mistakes and drift, not against an author who
/// sets out to cheat. Code that runs before every `main` runs before bind, too: a constructor, a `#[global_allocator]`, a
/// function that the C library or the linker is made to call. So does what an attribute above this one, a macro around
/// it, a faked `brokered_runtime`, its `__private` parts or `unsafe` code bring along; and in `cargo test` the process
/// starts with the harness. [All that is known] is a program each, and tested.
///
/// [index of errors]: ../brokered_runtime/errors/index.html
/// [All that is known]: ../brokered_runtime/index.html#what-the-compiler-cannot-see
/// [What differs]: ../brokered_runtime/index.html#platforms
/// [`Bound`]: ../brokered_runtime/struct.Bound.html
/// [`Daemon`]: ../brokered_runtime/struct.Daemon.html
/// [`State`]: ../brokered_runtime/trait.State.html
/// [`testing::bound`]: ../brokered_runtime/testing/fn.bound.html
/// [`testing::launch`]: ../brokered_runtime/testing/fn.launch.html
#[proc_macro_attribute]
pub fn brokered_daemon(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expanded(&arguments.into(), &item.into()).into()
}
