//! The index of errors in the documentation, `brokered_runtime::errors`: made from the catalogue and from its programs.

mod support;

use std::env;
use std::fmt::Write as _;
use std::fs;

use catalogue::{Entry, Raised};
use support::here;

#[allow(
    dead_code,
    reason = "the table is what is looked at, not how its messages are made"
)]
#[path = "../../brokered-macros/src/catalogue.rs"]
mod catalogue;

const BEGIN: &str = "\
Every error that keeps state out of the time before bind, by the code at the end of its message: a program that is
refused, what the compiler says of it, and the program that is meant. Codes below `B100` are the attribute's own; from
`B101` on it is the compiler that refuses, led there by the types of this crate.

";

/// `BLESS=1` writes the index.
#[test]
fn the_index_of_errors_is_the_catalogue_with_its_programs() {
    let mut index = BEGIN.to_owned();
    for entry in catalogue::CATALOGUE {
        let title = title(entry);
        writeln!(index, "- [{0}](#{1}): {title}", entry.code, anchor(entry))
            .expect("a string takes it");
    }
    for entry in catalogue::CATALOGUE {
        index.push_str(&section(entry));
    }
    let path = here().join("../brokered-runtime/docs/errors.md");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &index).expect("the index");
    }
    assert!(
        fs::read_to_string(&path).expect("the index") == index,
        "{} is not what the catalogue says; BLESS=1 makes it so",
        path.display()
    );
}

fn anchor(entry: &Entry) -> String {
    entry.code.to_lowercase()
}

fn section(entry: &Entry) -> String {
    let Entry {
        code, case, raised, ..
    } = entry;
    let read = |path: String| {
        fs::read_to_string(here().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let is_a_library = case.starts_with("library/");
    let file = if is_a_library {
        "src/lib.rs"
    } else {
        "src/main.rs"
    };
    let said = read(format!("fail/{case}.stderr")).replace(&format!("fail/{case}.rs"), file);
    let refused = read(format!("fail/{case}.rs"));
    let meant = read(format!("mended/{case}.rs"));
    // A documentation test is a binary, where this one would be right.
    let how = match raised {
        _ if is_a_library => "ignore".to_owned(),
        Raised::Compiler(Some(number)) => format!("compile_fail,{number}"),
        Raised::Compiler(None) | Raised::Attribute => "compile_fail".to_owned(),
    };
    let title = title(entry);
    // The attribute's own message has the reason in it already.
    let why = match raised {
        Raised::Attribute => String::new(),
        Raised::Compiler(_) => format!("{}\n\n{}\n\n", entry.cause, entry.help),
    };
    format!(
        "\n# {code}\n\n{title}\n\n```{how}\n{}\n```\n\n```text\n{}\n```\n\n{why}What is meant:\n\n\
         ```no_run,standalone_crate\n{}\n```\n",
        refused.trim_end(),
        said.trim_end(),
        meant.trim_end()
    )
}

/// What is wrong, in one line: where it takes words from the user's code, as the compiler says it of the program shown.
fn title(entry: &Entry) -> String {
    if !entry.title.contains('$') {
        return entry.title.to_owned();
    }
    let said = here().join(format!("fail/{}.stderr", entry.case));
    let said = fs::read_to_string(said).expect("what the compiler says");
    said.lines()
        .find_map(|line| line.strip_prefix("error: "))
        .expect("an error of the attribute's")
        .to_owned()
}
