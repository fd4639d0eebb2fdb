//! All errors of the attribute, as data.
//!
//! Each error is one [`Entry`]. The attribute's messages and the index of errors in the documentation take their texts from here.
//! A `$key` in a text is replaced with what is in the user's code. This file does not depend on tokens, so that tests outside of
//! this crate can include it.

use std::fmt;

/// One error.
#[derive(Debug)]
// A message needs only the texts. The tests that include this file use the rest.
#[allow(dead_code)]
pub(crate) struct Entry {
    /// Stable, and never used for another error. The attribute reports `B0..`, the compiler `B1..`.
    pub(crate) code: &'static str,
    /// Where the error comes from.
    pub(crate) raised: Raised,
    /// The program that shows it, in `ui-tests`. The compiler refuses `fail/{case}.rs` with the text in `fail/{case}.stderr`.
    /// `fixed/{case}.rs` is the corrected program. A case in `library/` is the root of a library.
    pub(crate) case: &'static str,
    /// What is wrong, in one line.
    pub(crate) title: &'static str,
    /// Why it is refused.
    pub(crate) cause: &'static str,
    /// What to write instead.
    pub(crate) help: &'static str,
}

/// Where an error comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Raised {
    /// The attribute, with the texts of the entry.
    Attribute,
    /// The compiler, because of the runtime's types. With the compiler's own error code, if there is one.
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
        // In this crate, only its tests use it.
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
        // The daemon, which is the first argument.
        NO_DAEMON: "B001", "arguments/no_arguments",
            "`#[brokered_daemon]` needs a daemon as its first argument",
            "The endpoint is bound before any code of this crate runs. So the attribute must say which daemon this is.",
            "Write the daemon's name, `#[brokered_daemon(\"$example\")]`, or a const that clients share, `#[brokered_daemon(DAEMON)]`. Options follow it.";
        BAD_NAME: "B002", "arguments/name_in_upper_case",
            "`\"$name\"` is not a valid name for a daemon: $reason",
            "The name becomes part of paths and of pipe names. It has 1 to 64 characters: `a` to `z`, `0` to `9` and `-`. It does not begin or end with `-`.",
            "Write `#[brokered_daemon(\"$example\")]`.";
        NOT_A_NAME: "B003", "arguments/name_is_a_number",
            "`$found` is not the name of a daemon",
            "The first argument is a string literal or a constant of the type `Daemon`.",
            "Write `#[brokered_daemon(\"$example\")]` or `#[brokered_daemon(DAEMON)]`.";
        METHOD_ON_NAME: "B004", "arguments/method_on_a_name",
            "a string literal has no method `$method`",
            "A string literal is only the name of a daemon. All other properties are set on a `Daemon`.",
            "Write `#[brokered_daemon(Daemon::new($name)$rest)]`. If clients need the daemon too, write a const: `pub const DAEMON: Daemon = Daemon::new($name)$rest;`.";
        STATEMENT: "B005", "before_bind/statement_after_the_daemon",
            "an argument of `#[brokered_daemon]` contains a `;`",
            "Each argument is one expression, which the compiler evaluates. A statement would have to run before the endpoint is bound.",
            "Remove the `;` and what follows it. Code that runs after the endpoint is bound belongs in `main`.";

        // The options.
        STATE_OPTION: "B006", "arguments/state_as_an_option",
            "state is a parameter of `main`, not an option",
            "The value of an option would have to exist before the endpoint is bound. A parameter is loaded afterwards.",
            "Write `fn main(bound: Bound, state: Index)`, and implement `State` for `Index`.";
        UNKNOWN_OPTION: "B007", "arguments/unknown_option",
            "`#[brokered_daemon]` has no option `$option`$nearest",
            "The options are `cli = path`, `help = \"text\"` or `help = none`, and `crate = path`.",
            "All other properties of the daemon belong to the `Daemon`. What the daemon loads is a parameter of `main`.";
        NOT_AN_OPTION: "B008", "arguments/not_an_option",
            "`$found` is not an option",
            "The arguments after the daemon are options, `name = value`: `cli = path`, `help = \"text\"` or `help = none`, and `crate = path`.",
            "If this is the function for all processes that are not the daemon, write `#[brokered_daemon($daemon, cli = $found)]`. State is a parameter of `main`.";
        OPTION_TWICE: "B009", "arguments/option_twice",
            "the option `$option` is given twice",
            "An option has one value.",
            "Remove one of them.";
        OPTION_WITHOUT_VALUE: "B010", "arguments/option_without_value",
            "the option `$option` has no value",
            "An option is `name = value`.",
            "Write `$option = $value`.";
        CLI_IS_NO_PATH: "B011", "before_bind/cli_is_a_call",
            "`cli` must be the path of a function, not $found",
            "An expression would run in the daemon too, before its endpoint is bound. The function at a path is called only in processes that are not the daemon.",
            "Write `cli = cli`, where `fn cli()` returns a type that a `main` may return.";
        CRATE_IS_NO_PATH: "B012", "arguments/crate_in_quotes",
            "`crate` must be the path of `brokered_runtime`, not $found",
            "The code that the attribute generates names the runtime by this path.",
            "Write `crate = $path`, without quotes.";

        // The function.
        NOT_A_FUNCTION: "B013", "placement/on_a_struct",
            "`#[brokered_daemon]` cannot be applied to $found",
            "It replaces the `main` of a process, so that no code runs before the endpoint is bound.",
            "Put it on `fn main(bound: Bound)` in the root module of the binary.";
        NOT_MAIN: "B014", "placement/not_called_main",
            "`#[brokered_daemon]` is on `fn $name`, but the process starts with `fn main`",
            "A caller of `$name` could run other code first, before the endpoint is bound.",
            "Rename the function to `main`, or remove the attribute.";
        VISIBLE_MAIN: "B015", "placement/pub_main",
            "`$visibility` is not allowed on the `main` of a daemon",
            "Only the start of the process may call it. Any other caller could run code before the endpoint is bound.",
            "Write `fn main` without `$visibility`.";
        QUALIFIED_MAIN: "B016", "placement/unsafe_main",
            "`$qualifier` is not allowed on the `main` of a daemon",
            "The attribute calls it once, as a plain function.",
            "Write `fn main` without `$qualifier`.";
        GENERIC_MAIN: "B017", "placement/generic_main",
            "the `main` of a daemon cannot be generic",
            "The attribute calls it once, and must know which types to load.",
            "Name the types: `fn main(bound: Bound, index: Index)`, where `Index` implements `State`.";
        RECEIVER: "B018", "placement/self_at_the_root",
            "the `main` of a daemon cannot take `self`",
            "A value to call it on would have to exist before the endpoint is bound.",
            "Write `fn main(bound: Bound)` in the root module of the binary. If `main` needs a value, add a parameter whose type implements `State`.";
        VARIADIC: "B019", "placement/variadic_main",
            "the `main` of a daemon cannot take `...`",
            "Each parameter is loaded by its type.",
            "Name each parameter. The arguments of the process are in `std::env::args`.";
        NO_BODY: "B020", "placement/no_body",
            "this `main` has no body",
            "The body is the code of the daemon. It runs after the endpoint is bound.",
            "Write `fn main(bound: Bound) { .. }`.";
        ATTRIBUTE_TWICE: "B021", "placement/attribute_twice",
            "`#[brokered_daemon]` is applied twice",
            "A process is one daemon.",
            "Remove one of them.";

        // Parameters and the executor.
        NO_BOUND: "B022", "bound/bound_missing",
            "this `main` does not take a `Bound`",
            "`Bound` is the bound endpoint. Without it, the daemon cannot serve clients.",
            "Write `fn main(bound: Bound)`. Each further parameter is a state, which is loaded after the endpoint is bound.";
        BOUND_TWICE: "B023", "bound/bound_twice",
            "`main` takes `$type` twice",
            "There is one endpoint, and one proof that it is bound.",
            "Remove one of them. Other threads can use its `handle()`.";
        REFERENCE: "B024", "before_bind/parameter_is_a_reference_to_state",
            "`main` takes a state by value, not by reference",
            "A reference needs a value that exists before the endpoint is bound. A state is loaded afterwards, and `main` owns it.",
            "Write `$type`.";
        NO_EXECUTOR: "B025", "placement/async_without_an_executor",
            "this `main` is `async`, without an executor's attribute below `#[brokered_daemon]`",
            "An executor above `#[brokered_daemon]` would start before the endpoint is bound. Below it, the executor starts afterwards.",
            "Write\n\n    #[brokered_daemon($arguments)]\n    #[tokio::main]\n    async fn main($parameters)\n\nor, with an executor that has no attribute,\n\n    #[brokered_daemon($arguments)]\n    fn main($parameters) {\n        smol::block_on(async { .. })\n    }\n\nIn both cases, the executor starts after the endpoint is bound.";

        // Added later: a code never moves.
        OPTION_OF_THE_DAEMON: "B026", "arguments/method_of_daemon_as_an_option",
            "`$option` belongs to the `Daemon`, not to the attribute",
            "Clients must know it too. Otherwise they would look for another daemon.",
            "Write a const that clients share, `pub const DAEMON: Daemon = $daemon.$call;`, and then `#[brokered_daemon(DAEMON)]`.";
        BOUND_NOT_FIRST: "B027", "bound/bound_after_a_state",
            "`$type` must be the first parameter of `main`",
            "It is the bound endpoint. The states after it are loaded with it.",
            "Write `fn main($parameters)`.";
        CALLED_BY_OTHERS: "B028", "placement/on_a_test",
            "`#[$attribute]` is not allowed on the `main` of a daemon",
            "Only the start of the process may call this function. `#[$attribute]` lets other code call it, before the endpoint is bound.",
            "Remove `#[$attribute]`. Move the code that others have to call to a function that `main` calls too.";
        DAEMON_NOT_FIRST: "B029", "arguments/daemon_after_an_option",
            "the daemon must come before the options",
            "The first argument says which daemon this is. The options after it have names.",
            "Write `#[brokered_daemon($daemon, ..)]`.";
        TOO_MANY_CONDITIONS: "B030", "placement/too_many_conditional_parameters",
            "more than $most parameters of `main` are conditional",
            "The attribute writes one call for each combination of conditional parameters. Each parameter doubles their number.",
            "Move some of them into one `State` with conditional fields.";
        EXTRA_COMMA: "B031", "arguments/double_comma",
            "there is no argument before this comma",
            "A comma separates two arguments, or follows the last one.",
            "Remove the comma.";
    }

    compiler {
        // Before bind.
        "B101": Some("E0015"), "before_bind/daemon_from_a_call",
            "an argument of the attribute calls a function that is not a `const fn`",
            "The compiler evaluates the arguments when it builds the program. A function that reads a file or the environment would have to run in the daemon, before its endpoint is bound.",
            "Make the function a `const fn`. Load what is known only at run time as a `State`, or let the starter set it on the `Instance`.";
        "B102": Some("E0080"), "before_bind/daemon_from_a_static_mut",
            "an argument of the attribute reads a value that can change",
            "The compiler evaluates the arguments when it builds the program. The value of a `static mut` or of an atomic is known only when the daemon runs.",
            "Write a `const`, or a `static` that never changes.";
        "B103": Some("E0277"), "before_bind/parameter_without_state",
            "a parameter of `main` does not implement `State`",
            "An argument exists before the function is called. The arguments of a daemon's `main` must not exist before the endpoint is bound, so they are loaded by their types, from a `Bound`.",
            "Implement `State` for the type: its `load(bound: &Bound)` runs when clients can already connect. Or remove the parameter, and make the value in `main`.";
        "B104": Some("E0277"), "bound/state_instead_of_bound",
            "the first parameter of `main` is not `Bound`",
            "`Bound` is the bound endpoint. It comes first, so that every reader sees that the endpoint is bound.",
            "Write `fn main(bound: Bound, ..)`, with the states after it.";

        // The position of the attribute.
        "B105": Some("E0277"), "placement/in_a_module",
            "the attribute is on a `main` that the process does not start with",
            "The process starts with the `main` in the root module of the binary. That function could run other code before it calls this one, while the endpoint is not bound yet.",
            "Put the attribute on the `main` in the root module. That function may call others in modules.";
        "B106": Some("E0277"), "library/root",
            "the attribute is in a library",
            "No process starts with the `main` of a library. A caller could run other code before it, while the endpoint is not bound yet.",
            "Move the function to `src/main.rs` or to a file in `src/bin`. It may call functions of the library.";

        // The return type.
        "B107": Some("E0277"), "returns/type_without_termination",
            "a process cannot end with the value that `main` or `cli` returns",
            "The value becomes the exit code of the process, as it does for every `main`.",
            "Return `()`, `ExitCode`, `!`, or a `Result` of one of these whose error implements `Debug`.";

        // The proof that the endpoint is bound.
        "B108": None, "bound/bound_forged",
            "a `Bound` is constructed by hand",
            "A `Bound` proves that the endpoint is bound. Its fields are private and it has no constructor, so that only the runtime makes one, after bind.",
            "Take it as the first parameter of the annotated `main`. In a unit test, call `brokered_runtime::testing::bound()`.";
        "B109": Some("E0599"), "bound/bound_cloned",
            "a `Bound` is cloned",
            "There is one endpoint, and one proof that it is bound. Two of them would accept each other's clients.",
            "Share its `handle()`, which is `Clone` and `Send`. Keep the `Bound` where clients are accepted.";
        "B110": Some("E0507"), "bound/bound_consumed_while_loading",
            "clients are accepted while a state is loading",
            "The methods that accept clients take the `Bound` by value, but `State::load` only borrows it. A client that is served now would meet an incomplete daemon.",
            "Return the state from `load`. Serve in `main`, which receives both.";
        "B111": Some("E0061"), "bound/state_loaded_without_bound",
            "`State::load` is called without a `Bound`",
            "A state is loaded after the endpoint is bound, and a `Bound` is the proof that it is.",
            "Take the state as a parameter of the annotated `main`, or pass on the `Bound` of `main`.";

        // The contract of `BrokeredBackend`.
        "B112": Some("E0050"), "backend/bind_with_state",
            "`BrokeredBackend::bind` takes more than the endpoint's name",
            "Any other argument would have to exist before the endpoint is bound.",
            "Take only the endpoint, and load in `serve`, which runs after bind.";
        "B113": Some("E0053"), "backend/serve_returns_unit",
            "`BrokeredBackend::serve` returns",
            "A backend serves until its process ends. If `serve` returned, clients would wait in the backlog of an endpoint that no process serves.",
            "Return `Never`: loop over the listener, and end the process with `std::process::exit`.";
        "B114": Some("E0277"), "backend/state_that_is_not_send",
            "a `BrokeredBackend::State` cannot be sent to another thread",
            "A backend may serve on many threads, so its state must be `Send` and `'static`.",
            "Use `Arc` instead of `Rc`, and own what is borrowed.";

        // Added later.
        "B115": Some("E0277"), "arguments/cli_takes_a_parameter",
            "`cli` takes parameters",
            "`cli` is the `main` of all processes that are not the daemon. Like every `main`, it is called without arguments.",
            "Write `fn cli()`. The arguments of the process are in `std::env::args`.";
        "B116": Some("E0433"), "arguments/crate_path_unknown",
            "the attribute does not find the runtime",
            "The code that the attribute generates names the runtime `::brokered_runtime`, or as `crate = path` says. A dependency that is renamed in `Cargo.toml` has only its new name.",
            "Write `crate = ::new_name`, or remove a wrong `crate =`.";
        "B117": Some("E0277"), "arguments/daemon_is_a_str",
            "the first argument of the attribute has another type than `Daemon`",
            "A string literal is the name of a daemon. Any other expression must have the type `Daemon`, also a constant that contains a name.",
            "Write `Daemon::new(NAME)`, or make the constant a `Daemon`, which clients can use too: `pub const DAEMON: Daemon = Daemon::new(\"indexd\");`.";
    }
}

/// An entry, and what its keys are replaced with.
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

    /// Replaces `$key`.
    pub(crate) fn with(mut self, key: &'static str, word: impl Into<String>) -> Self {
        self.words.push((key, word.into()));
        self
    }

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
    /// `text` with each `$key` replaced. A key in a replacement stays as it is.
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

/// Breaks a line that is long for a terminal, because the compiler does not. Code stays in one piece: it is between backticks, or
/// indented.
fn wrap(line: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WIDTH: usize = 84;
    if line.starts_with(' ') {
        return f.write_str(line);
    }
    let mut column = 0;
    for piece in pieces(line) {
        let width = piece.chars().count();
        if column > 0 {
            let breaks = column + 1 + width > WIDTH;
            f.write_str(if breaks { "\n" } else { " " })?;
            column = if breaks { 0 } else { column + 1 };
        }
        f.write_str(piece)?;
        column += width;
    }
    Ok(())
}

/// The words of a line. Words between two backticks are one piece.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    line.split(move |c| {
        in_code ^= c == '`';
        c == ' ' && !in_code
    })
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
    fn every_entry_has_a_title_a_cause_and_a_help() {
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
                "{code}: a title is one line without a full stop"
            );
            assert!(cause.ends_with('.'), "{code}: a cause is a sentence");
            assert!(help.ends_with('.'), "{code}: the help text is a sentence");
        }
    }

    #[test]
    fn no_entry_of_the_compiler_has_a_key() {
        for entry in CATALOGUE {
            if entry.raised != Raised::Attribute {
                let text = [entry.title, entry.cause, entry.help].concat();
                assert!(!text.contains('$'), "{}: {text}", entry.code);
            }
        }
    }

    #[test]
    fn a_replacement_that_looks_like_a_key_stays_as_it_is() {
        let message = Message::new(&NOT_MAIN).with("name", "$name");
        assert!(message.to_string().contains("`fn $name`"), "{message}");
        assert!(message.to_string().ends_with("[B014]"));
    }
}
