//! The index of errors in the documentation, `brokered_runtime::errors`, is generated from the catalogue and its programs.

mod support;

use std::env;
use std::fmt::Write as _;
use std::fs;

use catalogue::{Entry, Raised};
use support::{fitting, here};

#[allow(dead_code, reason = "the tests use the table, not the messages")]
#[path = "../../brokered-macros/src/catalogue.rs"]
mod catalogue;

const BEGIN: &str = "\
All compile errors, by code.

Each error has a code at the end of its message. The attribute itself reports the codes below `B100`. From `B101` on, the
compiler refuses the program because of the types of this crate. For each code, this page shows a program that is refused, the
message of the compiler, and the corrected program.

";

/// `BLESS=1` writes the index.
#[test]
fn the_index_of_errors_matches_the_catalogue_and_its_programs() {
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
        "{} does not match the catalogue; BLESS=1 rewrites it",
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
    let message = read(format!("fail/{case}.stderr")).replace(&format!("fail/{case}.rs"), file);
    let refused = read(format!("fail/{case}.rs"));
    let corrected = read(format!("fixed/{case}.rs"));
    // A documentation test is a binary, in which the program of a library would be correct.
    let how = match raised {
        _ if is_a_library => "ignore".to_owned(),
        Raised::Compiler(Some(number)) => format!("compile_fail,{number}"),
        Raised::Compiler(None) | Raised::Attribute => "compile_fail".to_owned(),
    };
    let title = title(entry);
    // The message of the attribute already contains the reason.
    let why = match raised {
        Raised::Attribute => String::new(),
        Raised::Compiler(_) => format!("{}\n\n{}\n\n", entry.cause, entry.help),
    };
    format!(
        "\n# {code}\n\n{title}\n\n```{how}\n{}\n```\n\n```text\n{}\n```\n\n{why}Corrected:\n\n\
         ```no_run,standalone_crate\n{}\n```\n",
        refused.trim_end(),
        fitting(&message),
        corrected.trim_end()
    )
}

/// What is wrong, in one line. A title with a key is taken from the message for the program in the index.
fn title(entry: &Entry) -> String {
    if !entry.title.contains('$') {
        return entry.title.to_owned();
    }
    let message = here().join(format!("fail/{}.stderr", entry.case));
    let message = fs::read_to_string(message).expect("the pinned message");
    message
        .lines()
        .find_map(|line| line.strip_prefix("error: "))
        .expect("an error of the attribute")
        .to_owned()
}
