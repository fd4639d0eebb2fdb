//! What the compiler refuses, and in which words.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{PINNED, Package, cases, compiler, here, targets, text};

#[allow(
    dead_code,
    reason = "the table is what is looked at, not how its messages are made"
)]
#[path = "../../brokered-macros/src/catalogue.rs"]
mod catalogue;

/// Texts are compared on one compiler only: others word some of them differently. On all of them, the codes are.
#[test]
fn each_mistake_is_refused_in_these_words() {
    if compiler() == PINNED {
        trybuild::TestCases::new().compile_fail("fail/*/*.rs");
    } else {
        println!(
            "rustc {} instead of {PINNED}: the texts are not compared",
            compiler()
        );
    }
}

/// `folder__file`, so that equal file names in different folders stay apart.
fn target_name(case: &Path) -> String {
    let folder = case.parent().and_then(Path::file_name).expect("a folder");
    format!("{}__{}", folder.to_string_lossy(), support::name(case))
}

fn stderr_of(case: &Path) -> String {
    let path = case.with_extension("stderr");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The codes in a compiler's output: `error[E0277]`, and `[B001]` at the end of a message.
fn codes(output: &str) -> BTreeSet<String> {
    output
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .map(|(code, _)| code)
        .filter(|code| {
            code.strip_prefix(['B', 'E']).is_some_and(|number| {
                (3..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
            })
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_mistake_is_one_error_with_its_code_on_every_compiler() {
    let cases = cases("fail");
    let package = Package::new(
        "refused",
        "2024",
        "brokered-runtime",
        &targets(&cases, target_name),
    );
    let output = package.cargo(&["check", "--bins", "--keep-going", "--message-format=json"]);
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(target) = message["target"]["name"].as_str() else {
            continue;
        };
        let diagnostic = &message["message"];
        // "aborting due to 1 previous error" is none of its own, and points nowhere.
        let points_somewhere = diagnostic["spans"]
            .as_array()
            .is_some_and(|spans| !spans.is_empty());
        if diagnostic["level"] == "error" && points_somewhere {
            errors
                .entry(target.to_owned())
                .or_default()
                .push(diagnostic["rendered"].to_string());
        }
    }
    let mut wrong = Vec::new();
    for case in &cases {
        let name = target_name(case);
        let Some(found) = errors.get(&name) else {
            wrong.push(format!(
                "{name} compiles, or was not reached:\n{}",
                text(&output).lines().take(5).collect::<String>()
            ));
            continue;
        };
        let expected = codes(&stderr_of(case));
        if found.len() != 1 || !expected.is_subset(&codes(&found.concat())) {
            wrong.push(format!(
                "{name}: wants one error with {expected:?}, and has\n{}",
                found.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_entry_of_the_catalogue_has_a_case_and_no_case_has_another_code() {
    let entries: BTreeSet<String> = catalogue::CATALOGUE
        .iter()
        .map(|entry| entry.code.to_owned())
        .collect();
    let mut shown = BTreeSet::new();
    for case in cases("fail") {
        shown.extend(
            codes(&stderr_of(&case))
                .into_iter()
                .filter(|code| code.starts_with('B')),
        );
    }
    assert_eq!(shown, entries);
}

/// trybuild builds binaries; this one is a library.
#[test]
fn a_main_at_the_root_of_a_library_is_refused() {
    const LIB: &str = "\
use brokered_runtime::{Bound, brokered_daemon};

pub fn start() {
    println!(\"before bind\");
    let _ = main();
}

#[brokered_daemon(\"indexd\")]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
";
    for (name, lib, line) in [
        ("library-root", LIB.to_owned(), "9:4"),
        (
            "library-module",
            format!("pub mod inner {{\n{LIB}}}\n"),
            "10:4",
        ),
    ] {
        let package = Package::new(
            name,
            "2024",
            "brokered-runtime",
            "[lib]\npath = \"lib.rs\"\n",
        );
        package.write("lib.rs", &lib);
        let output = text(&package.cargo(&["check", "--lib"]));
        assert!(
            output.contains("error[E0277]: a library has no `main`: no process starts here"),
            "{output}"
        );
        assert!(output.contains(&format!("--> lib.rs:{line}")), "{output}");
        assert!(output.contains("due to 1 previous error"), "{output}");
    }
}

#[test]
fn each_case_is_named_in_snake_case_and_has_its_text() {
    for case in cases("fail") {
        let name = support::name(&case);
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
        assert!(!stderr_of(&case).is_empty(), "{name}");
    }
    for entry in fs::read_dir(here().join("fail")).expect("the folder is there") {
        let folder = entry.expect("an entry").path();
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            assert!(
                path.with_extension("rs").exists(),
                "{} belongs to no case",
                path.display()
            );
        }
    }
}
