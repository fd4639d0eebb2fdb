//! The errors that the attribute raises, as data.
//!
//! Each is one [`Entry`]. Whatever speaks of an error, the compiler's output first of all, takes its words from here; a
//! `$word` in a text stands for what was found in the user's code. This file knows nothing of tokens, so that others
//! can include it.

use std::fmt;

/// One error of the attribute.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Stable, never given to another error.
    pub(crate) code: &'static str,
    /// What is wrong, in one line.
    pub(crate) title: &'static str,
    /// Why it is refused.
    pub(crate) cause: &'static str,
    /// What to write instead.
    pub(crate) help: &'static str,
}

/// Declares the entries, and [`CATALOGUE`] with all of them in order.
macro_rules! catalogue {
    ($($name:ident: $code:literal, $title:literal, $cause:literal, $help:literal;)*) => {
        $(pub(crate) const $name: Entry = Entry { code: $code, title: $title, cause: $cause, help: $help };)*

        /// Every error of the attribute, by code.
        // What includes this file from outside the macro crate reads the table; inside, its tests do.
        #[cfg_attr(not(test), allow(dead_code))]
        pub(crate) const CATALOGUE: &[Entry] = &[$($name),*];
    };
}

catalogue! {
    // The daemon, the first argument.
    NO_DAEMON: "B001",
        "`#[brokered_daemon]` is told no daemon",
        "The endpoint is bound before any code of this crate runs, so the attribute itself has to say which one it is.",
        "Write its name, `#[brokered_daemon(\"$example\")]`, or a const that clients share, `#[brokered_daemon(DAEMON)]`. It comes first, options follow.";
    BAD_NAME: "B002",
        "`\"$name\"` is no name for a daemon: $reason",
        "It becomes part of paths and of pipe names: 1 to 64 of `a` to `z`, `0` to `9` and `-`, with no `-` at either end.",
        "Write `#[brokered_daemon(\"$example\")]`.";
    NOT_A_NAME: "B003",
        "a daemon is not named by $found",
        "The first argument is a string literal, or a constant of the type `Daemon`.",
        "Write `#[brokered_daemon(\"$example\")]` or `#[brokered_daemon(DAEMON)]`.";
    METHOD_ON_NAME: "B004",
        "a name alone has no `$method`",
        "A string literal stands for a whole daemon; whatever else there is to say about it is said to a `Daemon`.",
        "Write `#[brokered_daemon(Daemon::new($name)$rest)]`, or better a const that clients share: `pub const DAEMON: Daemon = Daemon::new($name)$rest;`.";
    STATEMENT: "B005",
        "an argument of `#[brokered_daemon]` ends in `;`",
        "Each argument is one expression, evaluated by the compiler: there is no place where a statement would run.",
        "Take `;` and what follows it off; what is to happen once the endpoint is bound belongs into `main`.";

    // The options.
    STATE_OPTION: "B006",
        "state is a parameter of `main`, not an option",
        "The value of an option would have to exist before the endpoint is bound. A parameter is loaded after it, by its type.",
        "Write `fn main(bound: Bound, state: Index)`, with `impl State for Index`.";
    UNKNOWN_OPTION: "B007",
        "`#[brokered_daemon]` has no option `$option`$nearest",
        "Its options are `cli = path`, `help = \"text\"` and `crate = path`.",
        "Whatever else is to be said about the daemon is part of the `Daemon`, and what it loads is a parameter of `main`.";
    NO_OPTION: "B008",
        "`$found` is not an option",
        "After the daemon come options, each of them `name = value`: `cli = path`, `help = \"text\"`, `crate = path`.",
        "Write `#[brokered_daemon($daemon, cli = $found)]` if this is the function for all processes that are not the daemon; state is a parameter of `main`.";
    OPTION_TWICE: "B009",
        "the option `$option` is given twice",
        "Only one of the two could hold.",
        "Take one of them off.";
    OPTION_WITHOUT_VALUE: "B010",
        "the option `$option` has no value",
        "An option is `name = value`.",
        "Write `$option = $value`.";
    CLI_IS_NO_PATH: "B011",
        "`cli` is the path of a function, not $found",
        "What an attribute argument runs would run in the daemon too, before its endpoint is bound. A path is called only where the process is not the daemon.",
        "Write `cli = cli`, with `fn cli()` returning whatever a `main` may return.";
    CRATE_IS_NO_PATH: "B012",
        "`crate` is the path of `brokered_runtime`, not $found",
        "The attribute's code names the runtime by this path.",
        "Write it without quotes: `crate = $path`.";

    // The function.
    NOT_A_FUNCTION: "B013",
        "`#[brokered_daemon]` stands on $found",
        "It takes over a process's `main`, so that nothing runs before the endpoint is bound.",
        "Put it on `fn main(bound: Bound)` at the root of the binary.";
    NOT_MAIN: "B014",
        "`#[brokered_daemon]` stands on `fn $name`, which is not where the process starts",
        "Whoever calls `$name` could do anything before it, and the endpoint would not be bound yet.",
        "Call the function `main`, or take the attribute off.";
    VISIBLE_MAIN: "B015",
        "a brokered `main` is not `$visibility`",
        "Only the process's start may call it: a caller would have code of its own before the endpoint is bound.",
        "Write `fn main` without `$visibility`.";
    QUALIFIED_MAIN: "B016",
        "a brokered `main` is not `$qualifier`",
        "It is called once, by the attribute, as a plain function.",
        "Write `fn main` without `$qualifier`.";
    GENERIC_MAIN: "B017",
        "a brokered `main` is not generic",
        "It is called once, by the attribute, which has to know what to load.",
        "Name the types: `fn main(bound: Bound, index: Index)`, with `Index` a `State` of yours.";
    RECEIVER: "B018",
        "a brokered `main` has no `self`",
        "There is no value yet when the process starts: it would have to exist before the endpoint is bound.",
        "Write `fn main(bound: Bound)` at the root of the binary; a value that it needs is loaded as a further parameter, a `State`.";
    VARIADIC: "B019",
        "a brokered `main` takes no `...`",
        "Each parameter is loaded by its type.",
        "Name each parameter; the process's arguments are in `std::env::args`.";
    NO_BODY: "B020",
        "this `main` has no body",
        "The body is the daemon: it runs once the endpoint is bound.",
        "Write `fn main(bound: Bound) { .. }`.";
    ATTRIBUTE_TWICE: "B021",
        "`#[brokered_daemon]` stands here twice",
        "A process is one daemon.",
        "Take one of them off.";

    // Parameters and the executor.
    NO_BOUND: "B022",
        "this `main` does not take `Bound`",
        "`Bound` is the endpoint, bound already: without it nobody can be served.",
        "Write `fn main(bound: Bound)`; a further parameter is state, loaded once the endpoint is bound.";
    BOUND_TWICE: "B023",
        "`main` takes `$type` twice",
        "There is one endpoint, and one proof that it is bound.",
        "Take one of them off; what other threads need of it is its `handle()`.";
    REFERENCE: "B024",
        "`main` takes state by value, not by reference",
        "What it would refer to would have to exist before the endpoint is bound. A state is loaded after it, and `main` owns it.",
        "Write `$type`.";
    NO_EXECUTOR: "B025",
        "this `main` is `async`, and no executor's attribute stands below `#[brokered_daemon]`",
        "An executor above it would start before the endpoint is bound; below it, its runtime starts after.",
        "Write\n\n    #[brokered_daemon($arguments)]\n    #[tokio::main]\n    async fn main($parameters)\n\nor a plain `fn main` that blocks on its executor.";
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
        } = self.entry;
        f.write_str(&self.fill(title))?;
        for text in [self.fill(cause), format!("{} [{code}]", self.fill(help))] {
            for line in text.lines() {
                f.write_str("\n")?;
                wrap(line, f)?;
            }
        }
        Ok(())
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
        let codes: Vec<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
        let expected: Vec<_> = (1..=codes.len()).map(|n| format!("B{n:03}")).collect();
        assert_eq!(codes, expected);
    }

    #[test]
    fn every_entry_says_what_why_and_what_to_write() {
        for Entry {
            code,
            title,
            cause,
            help,
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
    fn a_word_that_looks_like_a_key_stays_as_it_is() {
        let message = Message::new(&NOT_MAIN).with("name", "$name");
        assert!(message.to_string().contains("`fn $name`"), "{message}");
        assert!(message.to_string().ends_with("[B014]"));
    }
}
