//! The attribute `#[brokered_daemon]`, which binds a daemon's endpoint before its `main` runs.
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

/// Makes `main` a daemon, which runs after its endpoint is bound, and never before.
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
/// **No safe code of this crate runs before its endpoint is bound, and the compiler enforces it.** A client that
/// connects while the daemon still loads waits for it. It does not time out, and it does not start another daemon.
///
/// The daemon's name and its other properties are constants. What the daemon loads is a parameter of `main`. A parameter
/// is made from a [`Bound`], which exists only after the endpoint is bound.
///
/// # Without the attribute
///
/// In outline, the daemon above becomes:
///
/// ```text
/// fn main() -> Exit {
///     const DAEMON_ARGUMENT: Daemon = Daemon::new("hello");
///     const _: /* the compiler checks that the process starts with this very function */
///     run(DAEMON_ARGUMENT, |bound| {
///         fn user_main(bound: Bound) -> io::Result<()> {
///             bound.serve(|mut client| client.write_all(b"hello\n"))
///         }
///         user_main(bound)
///     })
/// }
/// ```
///
/// Why is `run(DAEMON, |bound| ..)` not a public function? Because nothing would prevent a line above the call:
///
/// ```text
/// fn main() {
///     // This takes three seconds, and no client can connect meanwhile.
///     let index = Index::open("/var/lib/index");
///     run(INDEXD, |bound| serve(bound, index));
/// }
/// ```
///
/// With the attribute there is no place for such a line. If the index becomes a parameter, the compiler says what is missing:
///
/// ```text
/// error[E0277]: `Index` would have to exist before the endpoint is bound
///  --> src/main.rs:6:30
///   |
/// 6 | fn main(bound: Bound, index: Index) -> std::io::Result<()> {
///   |                              ^^^^^ `main` takes only what is loaded after bind
///   |
/// help: the trait `State` is not implemented for `Index`
///  --> src/main.rs:3:1
///   |
/// 3 | struct Index;
///   | ^^^^^^^^^^^^
///   = note: implement `brokered_runtime::State` for it: `load` runs after bind
///   = note: or remove the parameter, and make the value in `main`
///   = note: see brokered_runtime::errors [B103]
/// ```
///
/// # What the compiler refuses
///
/// It refuses a value that would have to exist before bind, as above. It also refuses an argument that needs code to run:
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
///   = note: calls in constants are limited to constant functions, tuple structs and tuple
///           variants
/// ```
///
/// And it refuses a `main` that is not the start of the process:
///
/// ```text
/// error[E0277]: this `main` is not where the process starts
///  --> src/main.rs:7:8
///   |
/// 7 |     fn main(bound: Bound) -> std::io::Result<()> {
///   |        ^^^^ the process starts with the `main` at the crate's root
///   |
///   = help: the trait `brokered_runtime::attribute::ProcessEntry` is not implemented for fn
///           item `fn() {main}`
///   = note: that `main` runs first, before the endpoint is bound
///   = note: put `#[brokered_daemon]` on the `main` at the root of the binary
///   = note: see brokered_runtime::errors [B105]
/// ```
///
/// Each error has a code at the end of its message. The [index of errors] shows a program for each code, and the corrected one.
/// A mistake in the arguments or in the signature is one error, at the token that is wrong. Errors in the body are the same as
/// without the attribute, which does not change the body.
///
/// # Arguments
///
/// The first argument is the daemon: a string literal with its name, or a constant expression of the type [`Daemon`]. Clients
/// can share a constant:
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
/// An argument cannot call a function that is not a `const fn`, use a `LazyLock`, or read a file. Each of these is a compile
/// error. The same holds for the options.
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
/// | option | meaning |
/// |---|---|
/// | `cli = path` | A function for all processes that are *not* the daemon, so that one binary is the daemon and its client. It has no parameters and returns a type that a `main` may return. The daemon is the process that a client's `connect_or_spawn` or a service manager has started, or a process with `BROKERED_ROLE=daemon` in its environment. |
/// | `help = "text"` | What `--help` prints when it is the only argument. The default is a text about the package and the daemon. Any constant `&'static str` will do, such as `include_str!("help.txt")`. With `cli`, that function handles all arguments, and this option has no effect. |
/// | `help = none` | The daemon handles `--help` and `--version` itself. |
/// | `crate = path` | The path of `brokered_runtime`, if the dependency has another name. |
///
/// # Daemon and command line in one binary
///
/// With `cli =`, the daemon and its command line are one program:
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
/// The first parameter is [`Bound`], the endpoint. Each further one is a [`State`], taken by value. The states are loaded in
/// the order of the parameters, after bind and before the body runs. If one fails to load, the error is printed and the process
/// ends with exit code 70. A parameter with `#[cfg(..)]` is loaded only if its condition holds.
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
/// # Return type
///
/// `main` returns a type that implements [`Termination`](std::process::Termination), as every `main` does: `()`, `ExitCode`,
/// `!`, or a `Result` of one of these. An error is printed with its `Debug` implementation and ends the process with exit code 1.
///
/// # Async
///
/// The executor's attribute goes *below* this one. Its runtime starts after bind, and after the states have loaded.
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
/// An executor's attribute above this one would start its runtime first. It has no `Bound` for `main`, and tokio's attribute
/// refuses a `main` with parameters. The attributes of actix and compio start the runtime in the body, so with them the order
/// does not matter. If an executor has no attribute, write a plain `fn main` that blocks on it.
///
/// # Other attributes
///
/// `cfg`, documentation, lint levels and `deprecated` move to the `main` that the process starts with. All others stay on the
/// user's function, in their order. If one expands to statements, they run after bind. Attributes that let other code call the
/// function are refused, above it and in its body: `#[test]` and `#[no_mangle]` are two of them.
///
/// # Where to put it
///
/// Put it on the `main` in the root module of a binary, of an example, or of a test or bench without a harness. In a module or
/// in a function, `main` is not the start of the process. In a library, a caller could run other code first. A process can be a
/// daemon only once: if `main` is called again, the process ends with exit code 70.
///
/// # Testing
///
/// A [`State`] can be tested without a daemon. With the feature `testing`, [`testing::bound`] returns a real `Bound` in a new
/// directory, and [`testing::launch`] starts the daemon itself in a new runtime directory.
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
/// The compiler refuses the same programs on every platform. The daemon is tested on Linux, and on Windows under Wine. For macOS
/// and FreeBSD it is type-checked, and its portable code is tested on Linux. A table shows [the differences].
///
/// # Limits
///
/// The promise covers the safe code of your crate. It protects against mistakes, not against an author who wants to evade it.
/// Code that runs before every `main` runs before bind too: a constructor, a `#[global_allocator]`, or a function that the C
/// library or the linker calls. The same holds for an attribute above this one, for a macro around it, for a fake
/// `brokered_runtime`, for its hidden `attribute` module, and for `unsafe` code. In `cargo test`, the process starts with the
/// test harness. [All known escapes] are programs, and tested.
///
/// [index of errors]: ../brokered_runtime/errors/index.html
/// [All known escapes]: ../brokered_runtime/index.html#what-the-compiler-cannot-see
/// [the differences]: ../brokered_runtime/index.html#platforms
/// [`Bound`]: ../brokered_runtime/struct.Bound.html
/// [`Daemon`]: ../brokered_runtime/struct.Daemon.html
/// [`State`]: ../brokered_runtime/trait.State.html
/// [`testing::bound`]: ../brokered_runtime/testing/fn.bound.html
/// [`testing::launch`]: ../brokered_runtime/testing/fn.launch.html
#[proc_macro_attribute]
pub fn brokered_daemon(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expanded(&arguments.into(), &item.into()).into()
}
