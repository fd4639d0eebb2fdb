//! No lint complains of what the attribute generates.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{PINNED, Package, cases, compiler, targets};

const ATTRIBUTE: &str = "#[brokered_daemon(";

/// Every lint of the compiler and of clippy that is off by default.
fn optional_lints() -> Vec<String> {
    let mut lints = Vec::new();
    for driver in ["rustc", "clippy-driver"] {
        let output = Command::new(driver)
            .args(["-W", "help"])
            .output()
            .unwrap_or_else(|error| panic!("{driver}: {error}"));
        let help = String::from_utf8(output.stdout).expect("text");
        let before = lints.len();
        lints.extend(help.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            (words.next()? == "allow").then(|| name.to_owned())
        }));
        assert!(lints.len() > before + 30, "{driver}:\n{help}");
    }
    lints
}

/// The same program without the attribute, each line in its place. A `main` could not take parameters then, so it gets
/// another name of the same length. Another `main` uses it twice, since no lint counts the uses of a `main`, and the
/// function that `cli` names once.
fn without(program: &str) -> Option<String> {
    let attribute = program.lines().find(|line| line.starts_with(ATTRIBUTE))?;
    let cli = attribute
        .split_once("cli = ")
        .and_then(|(_, rest)| rest.split([',', ')']).next())
        .map_or_else(String::new, |cli| format!("    let _ = {cli}();\n"));
    let same = program
        .replace(attribute, "//")
        .replace("fn main(", "fn same(");
    Some(format!(
        "{same}\n\n\nfn main() {{\n    let _ = same;\n    let _ = same;\n{cli}}}\n"
    ))
}

/// A lint, and the line and the column that it complains of.
type Complaint = (String, u64, u64);

/// The complaints about each target, with their texts.
fn complaints(
    package: &Package,
    lints: &[String],
) -> BTreeMap<String, BTreeMap<Complaint, String>> {
    const CLIPPY: [&str; 6] = [
        "clippy",
        "--bins",
        "--keep-going",
        "--message-format=json",
        "--offline",
        "--",
    ];
    let flags: Vec<_> = lints.iter().flat_map(|lint| ["-W", lint]).collect();
    let output = package.cargo_that_downloads(&[&CLIPPY[..], &flags].concat());
    let mut found: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let diagnostic = &message["message"];
        let position = diagnostic["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|span| span["is_primary"] == true);
        if let (Some(target), Some(position)) = (message["target"]["name"].as_str(), position) {
            let code = diagnostic["code"]["code"].as_str().unwrap_or_default();
            let text = diagnostic["rendered"].as_str().unwrap_or_default();
            assert!(code.contains(char::is_lowercase), "not a lint:\n{text}");
            let number = |key: &str| position[key].as_u64().expect("a number");
            found.entry(target.to_owned()).or_default().insert(
                (
                    code.to_owned(),
                    number("line_start"),
                    number("column_start"),
                ),
                text.to_owned(),
            );
        }
    }
    found
}

/// With every lint on, no program gets a complaint that it would not get without the attribute.
fn no_lint_complains(edition: &str) {
    if compiler() != PINNED {
        println!(
            "rustc {} instead of {PINNED}: its lints are not tried",
            compiler()
        );
        return;
    }
    let (cases, same): (Vec<_>, Vec<_>) = cases("pass")
        .into_iter()
        .filter_map(|case| {
            let same = without(&fs::read_to_string(&case).expect("the case"))?;
            Some((case, same))
        })
        .unzip();
    assert!(cases.len() > 25, "{cases:?}");
    let with = |case: &Path| format!("lints_{edition}_{}", support::name(case));
    let bare = |case: &Path| format!("lints_{edition}_without_{}", support::name(case));
    let mut programs = targets(&cases, with);
    for case in &cases {
        let name = bare(case);
        writeln!(programs, "[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"")
            .expect("a string takes it");
    }
    let package = Package::new(
        &format!("lints-{edition}"),
        edition,
        "brokered-runtime",
        &programs,
    );
    for (case, same) in cases.iter().zip(&same) {
        package.write(&format!("{}.rs", bare(case)), same);
    }

    let found = complaints(&package, &optional_lints());
    let mut seen = BTreeSet::new();
    let mut added = String::new();
    for case in &cases {
        let expected = found.get(&bare(case)).cloned().unwrap_or_default();
        for (complaint, text) in found.get(&with(case)).into_iter().flatten() {
            seen.insert(complaint.0.clone());
            if !expected.contains_key(complaint) {
                writeln!(added, "{text}").expect("a string takes it");
            }
        }
    }
    assert!(added.is_empty(), "{added}");
    for lint in [
        "clippy::implicit_return",
        "clippy::missing_docs_in_private_items",
        "clippy::single_call_fn",
        "missing_docs",
        "unused_crate_dependencies",
    ] {
        assert!(seen.contains(lint), "{lint} is off; on are {seen:?}");
    }
    // This one is about the runtime's traits: a provided method would be one that users miss.
    assert!(!seen.contains("clippy::missing_trait_methods"), "{seen:?}");
}

#[test]
fn no_lint_complains_of_the_expansion_in_edition_2021() {
    no_lint_complains("2021");
}

#[test]
fn no_lint_complains_of_the_expansion_in_edition_2024() {
    no_lint_complains("2024");
}
