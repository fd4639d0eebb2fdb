//! The errors that keep a daemon's state out of the time before bind, as data.
//!
//! Each is one [`Entry`]. Whatever speaks of an error, the attribute's own messages first of all, takes its words from
//! here; a `$word` in a text stands for what was found in the user's code. This file knows nothing of tokens, so that
//! others can include it.

use std::fmt;

/// One error.
#[derive(Debug)]
// What includes this file from outside the macro crate reads all of it; a message needs only the words.
#[allow(dead_code)]
pub(crate) struct Entry {
    /// Stable, never given to another error: `B0..` where the attribute says it, `B1..` where the compiler does.
    pub(crate) code: &'static str,
    /// Who says it.
    pub(crate) raised: Raised,
    /// The program that shows it, below `ui-tests`: `fail/{case}.rs` is refused in the words of `fail/{case}.stderr`,
    /// and `mended/{case}.rs` is the same program as it should be. A case in `library/` is the root of a library.
    pub(crate) case: &'static str,
    /// What is wrong, in one line.
    pub(crate) title: &'static str,
    /// Why it is refused.
    pub(crate) cause: &'static str,
    /// What to write instead.
    pub(crate) help: &'static str,
}

/// Who says that something is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Raised {
    /// The attribute, in the words of the entry.
    Attribute,
    /// The compiler, led there by the runtime's types, under this number of its own, if it has one.
    Compiler(Option<&'static str>),
}

/// Declares the entries, and [`CATALOGUE`] with all of them in order.
macro_rules! catalogue {
    (
        attribute { $($name:ident: $code:literal, $case:literal, $title:literal, $cause:literal, $help:literal;)* }
        compiler { $($by:literal: $number:expr, $by_case:literal, $by_title:literal, $by_cause:literal, $by_help:literal;)* }
    ) => {
        $(pub(crate) const $name: Entry = Entry {
            code: $code, raised: Raised::Attribute, case: $case, title: $title, cause: $cause, help: $help,
        };)*

        /// Every error, by code.
        // As above: inside the macro crate, its tests read it.
        #[cfg_attr(not(test), allow(dead_code))]
        pub(crate) const CATALOGUE: &[Entry] = &[
            $($name,)*
            $(Entry {
                code: $by, raised: Raised::Compiler($number), case: $by_case, title: $by_title, cause: $by_cause, help: $by_help,
            },)*
        ];
    };
}

catalogue! {
    attribute {
        // The daemon, the first argument.
        NO_DAEMON: "B001", "arguments/none",
            "`#[brokered_daemon]` is told no daemon",
            "The endpoint is bound before any code of this crate runs, so the attribute itself has to say which one it is.",
            "Write its name, `#[brokered_daemon(\"$example\")]`, or a const that clients share, `#[brokered_daemon(DAEMON)]`. It comes first, options follow.";
        BAD_NAME: "B002", "arguments/name_in_upper_case",
            "`\"$name\"` is no name for a daemon: $reason",
            "It becomes part of paths and of pipe names: 1 to 64 of `a` to `z`, `0` to `9` and `-`, with no `-` at either end.",
            "Write `#[brokered_daemon(\"$example\")]`.";
        NOT_A_NAME: "B003", "arguments/name_is_a_number",
            "a daemon is not named by `$found`",
            "The first argument is a string literal, or a constant of the type `Daemon`.",
            "Write `#[brokered_daemon(\"$example\")]` or `#[brokered_daemon(DAEMON)]`.";
        METHOD_ON_NAME: "B004", "arguments/method_on_a_name",
            "a name alone has no `$method`",
            "A string literal stands for a whole daemon; whatever else there is to say about it is said to a `Daemon`.",
            "Write `#[brokered_daemon(Daemon::new($name)$rest)]`, or better a const that clients share: `pub const DAEMON: Daemon = Daemon::new($name)$rest;`.";
        STATEMENT: "B005", "before_bind/statement_after_the_daemon",
            "an argument of `#[brokered_daemon]` ends in `;`",
            "Each argument is one expression, evaluated by the compiler: there is no place where a statement would run.",
            "Take `;` and what follows it off; what is to happen once the endpoint is bound belongs into `main`.";

        // The options.
        STATE_OPTION: "B006", "arguments/state_as_an_option",
            "state is a parameter of `main`, not an option",
            "The value of an option would have to exist before the endpoint is bound. A parameter is loaded after it, by its type.",
            "Write `fn main(bound: Bound, state: Index)`, with `impl State for Index`.";
        UNKNOWN_OPTION: "B007", "arguments/unknown_option",
            "`#[brokered_daemon]` has no option `$option`$nearest",
            "Its options are `cli = path`, `help = \"text\"` or `help = none`, and `crate = path`.",
            "Whatever else is to be said about the daemon is part of the `Daemon`, and what it loads is a parameter of `main`.";
        NO_OPTION: "B008", "arguments/no_option",
            "`$found` is not an option",
            "After the daemon come options, each of them `name = value`: `cli = path`, `help = \"text\"` or `help = none`, `crate = path`.",
            "Write `#[brokered_daemon($daemon, cli = $found)]` if this is the function for all processes that are not the daemon; state is a parameter of `main`.";
        OPTION_TWICE: "B009", "arguments/option_twice",
            "the option `$option` is given twice",
            "Only one of the two could hold.",
            "Take one of them off.";
        OPTION_WITHOUT_VALUE: "B010", "arguments/option_without_value",
            "the option `$option` has no value",
            "An option is `name = value`.",
            "Write `$option = $value`.";
        CLI_IS_NO_PATH: "B011", "before_bind/cli_is_a_call",
            "`cli` is the path of a function, not $found",
            "What an attribute argument runs would run in the daemon too, before its endpoint is bound. A path is called only where the process is not the daemon.",
            "Write `cli = cli`, with `fn cli()` returning whatever a `main` may return.";
        CRATE_IS_NO_PATH: "B012", "arguments/crate_in_quotes",
            "`crate` is the path of `brokered_runtime`, not $found",
            "The attribute's code names the runtime by this path.",
            "Write it without quotes: `crate = $path`.";

        // The function.
        NOT_A_FUNCTION: "B013", "place/on_a_struct",
            "`#[brokered_daemon]` stands on $found",
            "It takes over a process's `main`, so that nothing runs before the endpoint is bound.",
            "Put it on `fn main(bound: Bound)` at the root of the binary.";
        NOT_MAIN: "B014", "place/not_called_main",
            "`#[brokered_daemon]` stands on `fn $name`, which is not where the process starts",
            "Whoever calls `$name` could do anything before it, and the endpoint would not be bound yet.",
            "Call the function `main`, or take the attribute off.";
        VISIBLE_MAIN: "B015", "place/pub_main",
            "a brokered `main` is not `$visibility`",
            "Only the process's start may call it: a caller would have code of its own before the endpoint is bound.",
            "Write `fn main` without `$visibility`.";
        QUALIFIED_MAIN: "B016", "place/unsafe_main",
            "a brokered `main` is not `$qualifier`",
            "It is called once, by the attribute, as a plain function.",
            "Write `fn main` without `$qualifier`.";
        GENERIC_MAIN: "B017", "place/generic_main",
            "a brokered `main` is not generic",
            "It is called once, by the attribute, which has to know what to load.",
            "Name the types: `fn main(bound: Bound, index: Index)`, with `Index` a `State` of yours.";
        RECEIVER: "B018", "place/self_at_the_root",
            "a brokered `main` has no `self`",
            "There is no value yet when the process starts: it would have to exist before the endpoint is bound.",
            "Write `fn main(bound: Bound)` at the root of the binary; a value that it needs is loaded as a further parameter, a `State`.";
        VARIADIC: "B019", "place/variadic_main",
            "a brokered `main` takes no `...`",
            "Each parameter is loaded by its type.",
            "Name each parameter; the process's arguments are in `std::env::args`.";
        NO_BODY: "B020", "place/no_body",
            "this `main` has no body",
            "The body is the daemon: it runs once the endpoint is bound.",
            "Write `fn main(bound: Bound) { .. }`.";
        ATTRIBUTE_TWICE: "B021", "place/attribute_twice",
            "`#[brokered_daemon]` stands here twice",
            "A process is one daemon.",
            "Take one of them off.";

        // Parameters and the executor.
        NO_BOUND: "B022", "proof/bound_missing",
            "this `main` does not take `Bound`",
            "`Bound` is the endpoint, bound already: without it nobody can be served.",
            "Write `fn main(bound: Bound)`; a further parameter is state, loaded once the endpoint is bound.";
        BOUND_TWICE: "B023", "proof/bound_twice",
            "`main` takes `$type` twice",
            "There is one endpoint, and one proof that it is bound.",
            "Take one of them off; what other threads need of it is its `handle()`.";
        REFERENCE: "B024", "before_bind/parameter_is_a_reference_to_state",
            "`main` takes state by value, not by reference",
            "What it would refer to would have to exist before the endpoint is bound. A state is loaded after it, and `main` owns it.",
            "Write `$type`.";
        NO_EXECUTOR: "B025", "place/async_without_an_executor",
            "this `main` is `async`, and no executor's attribute stands below `#[brokered_daemon]`",
            "An executor above it would start before the endpoint is bound; below it, its runtime starts after.",
            "Write\n\n    #[brokered_daemon($arguments)]\n    #[tokio::main]\n    async fn main($parameters)\n\nor, with an executor that has no attribute,\n\n    #[brokered_daemon($arguments)]\n    fn main($parameters) {\n        smol::block_on(async { .. })\n    }\n\nEither way it starts once the endpoint is bound.";

        // Later ones.
        OPTION_OF_THE_DAEMON: "B026", "arguments/option_of_the_daemon",
            "`$option` is said of the `Daemon`, not of the attribute",
            "Clients have to know it as well, or they would look for another daemon.",
            "Write it into a const that they share, `pub const DAEMON: Daemon = $daemon.$call;`, and `#[brokered_daemon(DAEMON)]`.";
        BOUND_NOT_FIRST: "B027", "proof/bound_after_a_state",
            "`$type` has to be the first parameter of `main`",
            "It is the endpoint, bound already; what comes after it is loaded with it.",
            "Write `fn main($parameters)`.";
        CALLED_BY_OTHERS: "B028", "place/on_a_test",
            "`#[$attribute]` has no place on a brokered `main`",
            "The process starts with this function. Nobody else may call it: no test harness, and no other language by its symbol.",
            "Take `#[$attribute]` off; what is to be tested, or called, is a function that `main` calls, too.";
        DAEMON_NOT_FIRST: "B029", "arguments/daemon_after_an_option",
            "the daemon has to come before the options",
            "The first argument says which daemon this is, whatever it is made of; what follows it has names.",
            "Write `#[brokered_daemon($daemon, ..)]`.";
        TOO_MANY_CONDITIONS: "B030", "place/nine_conditional_parameters",
            "more than $most parameters of `main` are conditional",
            "An argument can't be conditional, so the attribute writes one call for each way that they may be there: twice as many with every parameter.",
            "Put some of them into one `State` of yours, with conditional fields.";
        EXTRA_COMMA: "B031", "arguments/double_comma",
            "there is no argument before this comma",
            "A comma separates two arguments, or follows the last one.",
            "Remove the comma.";
    }

    compiler {
        // Before bind.
        "B101": Some("E0015"), "before_bind/daemon_from_a_call",
            "a call in an argument of the attribute that is no call of a `const fn`",
            "The arguments are constants, which the compiler evaluates while it builds the program. A function that could read a file or the environment would have to run when the daemon starts, before its endpoint is bound.",
            "Make the function a `const fn`, if it can be one. What is known only at run time is loaded as a `State`, or told to the `Instance` by whoever starts the daemon.";
        "B102": Some("E0080"), "before_bind/daemon_from_a_static_mut",
            "an argument of the attribute reads what may change",
            "The compiler evaluates the arguments while it builds the program. What a `static mut` or an atomic holds is known only when the daemon runs.",
            "Write a `const`, or a `static` that nothing changes.";
        "B103": Some("E0277"), "before_bind/parameter_is_no_state",
            "a parameter of `main` is no `State`",
            "Whoever calls a `main` with a value has that value first. Of what a daemon's `main` takes, all is made after the endpoint is bound: by its type, from a `Bound`.",
            "Implement `State` for the type: its `load(bound: &Bound)` runs once clients can connect. Or take the parameter off, and make the value inside `main`.";
        "B104": Some("E0277"), "proof/state_in_the_place_of_bound",
            "the first parameter of `main` is not `Bound`",
            "`Bound` is the endpoint, bound already. It comes first, so that nobody can overlook that it is there.",
            "Write `fn main(bound: Bound, ..)`, and the states after it.";

        // The place.
        "B105": Some("E0277"), "place/in_a_module",
            "the attribute stands on a `main` that the process does not start with",
            "The process starts with the `main` at the root of the binary. That one could do anything before it calls this one, and the endpoint would not be bound yet.",
            "Put the attribute on the `main` at the root; it may call into modules.";
        "B106": Some("E0277"), "library/root",
            "the attribute stands in a library",
            "No process starts with a library's `main`. Whoever calls it could do anything before, and the endpoint would not be bound yet.",
            "Put the function into `src/main.rs` or into a file of `src/bin`. What it calls may well be in the library.";

        // What it returns.
        "B107": Some("E0277"), "returns/no_termination",
            "a process can't end with what `main` or `cli` returns",
            "What they return becomes the process's exit code, as it does for every `main`.",
            "Return `()`, `ExitCode`, `!`, or a `Result` of one of these whose error is `Debug`.";

        // The proof.
        "B108": None, "proof/bound_forged",
            "a `Bound` is made up",
            "A `Bound` proves that the endpoint is bound. It has private fields and no constructor, so that only the runtime makes one, once it is.",
            "Take it as the first parameter of the annotated `main`. A unit test gets one from `brokered_runtime::testing::bound()`.";
        "B109": Some("E0599"), "proof/bound_cloned",
            "a `Bound` is cloned",
            "There is one endpoint, and one proof that it is bound. Two of them would accept each other's clients.",
            "Share its `handle()`, which is `Clone` and `Send`, and keep the `Bound` for what accepts clients.";
        "B110": Some("E0507"), "proof/bound_consumed_while_loading",
            "clients are accepted while a state is still loading",
            "What accepts clients takes the `Bound` by value; `State::load` only borrows it. A client that were served now would find half a daemon.",
            "Load the state and return it; serve in `main`, which gets both.";
        "B111": Some("E0061"), "proof/state_loaded_without_bound",
            "`State::load` is called without a `Bound`",
            "A state is what is loaded once the endpoint is bound, and a `Bound` is the proof that it is.",
            "Take the state as a parameter of the annotated `main`, or hand `main`'s own `Bound` down.";

        // The contract of `BrokeredBackend`.
        "B112": Some("E0050"), "seed/bind_with_state",
            "`BrokeredBackend::bind` takes more than the endpoint's name",
            "Whatever else it took would have to exist before the endpoint is bound.",
            "Take the endpoint alone, and load in `serve`, which runs once it is bound.";
        "B113": Some("E0053"), "seed/serve_that_returns",
            "`BrokeredBackend::serve` returns",
            "A backend serves until its process ends. One that returned would leave clients in the queue of an endpoint that nobody serves.",
            "Return `Never`: loop over the listener, and end the process with `std::process::exit`.";
        "B114": Some("E0277"), "seed/state_that_cannot_move_to_a_thread",
            "a `BrokeredBackend::State` can't move to another thread",
            "A backend is served from as many threads as it likes, so its state has to be `Send` and `'static`.",
            "Use `Arc` for `Rc`, and own what is borrowed.";

        // Later ones.
        "B115": Some("E0277"), "arguments/cli_takes_a_parameter",
            "`cli` takes parameters",
            "It is the `main` of all processes that are not the daemon, and is called as a `main` is: with nothing.",
            "Write `fn cli()`; the process's arguments are in `std::env::args`.";
        "B116": Some("E0433"), "arguments/crate_unknown",
            "the runtime is not where the attribute looks for it",
            "The attribute's code names the runtime as `::brokered_runtime`, or as `crate = path` says. A dependency that is renamed in `Cargo.toml` has its new name only.",
            "Write `crate = ::its_name_here`; or take a `crate =` off that leads nowhere.";
    }
}

/// An entry, and the words found in the user's code.
#[derive(Debug)]
pub(crate) struct Message {
    entry: &'static Entry,
    words: Vec<(&'static str, String)>,
}

impl Message {
    pub(crate) fn new(entry: &'static Entry) -> Self {
        Self {
            entry,
            words: Vec::new(),
        }
    }

    /// Fills in `$key`.
    pub(crate) fn with(mut self, key: &'static str, word: impl Into<String>) -> Self {
        self.words.push((key, word.into()));
        self
    }

    // Within the macro crate only tests ask which error it is; everybody else reads it.
    #[cfg(test)]
    pub(crate) fn entry(&self) -> &'static Entry {
        self.entry
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry {
            code,
            title,
            cause,
            help,
            ..
        } = self.entry;
        f.write_str(&self.fill(title))?;
        for text in [cause, help] {
            for line in self.fill(text).lines() {
                f.write_str("\n")?;
                wrap(line, f)?;
            }
        }
        write!(f, "\nSee brokered_runtime::errors [{code}]")
    }
}

impl Message {
    /// `text`, each `$key` in it replaced. What is put in is not looked at again.
    fn fill(&self, text: &str) -> String {
        let mut pieces = text.split('$');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let end = piece
                .find(|c: char| !c.is_ascii_lowercase())
                .unwrap_or(piece.len());
            let (key, rest) = piece.split_at(end);
            match self.words.iter().find(|(name, _)| *name == key) {
                Some((_, word)) => filled.push_str(word),
                None => filled.extend(["$", key]),
            }
            filled.push_str(rest);
        }
        filled
    }
}

/// Breaks a line where it gets long for a terminal: the compiler does not. Code, which is between backticks or
/// indented, stays in one piece.
fn wrap(line: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WIDTH: usize = 90;
    if line.starts_with(' ') {
        return f.write_str(line);
    }
    let mut column = 0;
    let mut in_code = false;
    for word in line.split(' ') {
        let width = word.chars().count();
        if column > 0 {
            let breaks = !in_code && column + 1 + width > WIDTH;
            f.write_str(if breaks { "\n" } else { " " })?;
            column = if breaks { 0 } else { column + 1 };
        }
        f.write_str(word)?;
        column += width;
        in_code ^= word.matches('`').count() % 2 == 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let numbered = |raised: fn(&Raised) -> bool, first: usize| {
            let codes: Vec<_> = CATALOGUE
                .iter()
                .filter(|entry| raised(&entry.raised))
                .map(|entry| entry.code)
                .collect();
            let expected: Vec<_> = (first..first + codes.len())
                .map(|number| format!("B{number:03}"))
                .collect();
            assert_eq!(codes, expected);
        };
        numbered(|raised| *raised == Raised::Attribute, 1);
        numbered(|raised| *raised != Raised::Attribute, 101);
    }

    #[test]
    fn every_entry_says_what_why_and_what_to_write() {
        for Entry {
            code,
            title,
            cause,
            help,
            ..
        } in CATALOGUE
        {
            assert!(
                !title.contains('\n') && !title.ends_with('.'),
                "{code}: a title is one line, no sentence"
            );
            assert!(cause.ends_with('.'), "{code}: a cause is a sentence");
            assert!(help.ends_with('.'), "{code}: a help is a sentence");
        }
    }

    #[test]
    fn what_the_compiler_says_needs_no_words_of_the_users() {
        for entry in CATALOGUE {
            if entry.raised != Raised::Attribute {
                let text = [entry.title, entry.cause, entry.help].concat();
                assert!(!text.contains('$'), "{}: {text}", entry.code);
            }
        }
    }

    #[test]
    fn a_word_that_looks_like_a_key_stays_as_it_is() {
        let message = Message::new(&NOT_MAIN).with("name", "$name");
        assert!(message.to_string().contains("`fn $name`"), "{message}");
        assert!(message.to_string().ends_with("[B014]"));
    }
}
