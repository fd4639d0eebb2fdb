//! Each row of `docs/field-reports.md` has a report, and each test that a row names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The first section names the tests.
const KEPT: &str = "## Kept by a test";

#[test]
fn each_named_test_exists() {
    let page = page();
    let (tests, rows) = kept_rows(&page);
    assert!(rows > 20, "{rows} rows");
    let missing: Vec<&String> = tests.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn each_short_name_of_a_report_has_an_address_and_is_used() {
    let page = page();
    let mut defined = BTreeSet::new();
    for line in page.lines() {
        if let Some((name, address)) = line.strip_prefix('[').and_then(|l| l.split_once("]: ")) {
            assert!(address.starts_with("https://"), "{line}");
            let number = name.rsplit(' ').next().unwrap_or_default();
            assert!(address.ends_with(&format!("/{number}")), "{line}");
            assert!(defined.insert(name.to_owned()), "defined twice: {name}");
        }
    }
    let used: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        // Not in code, which is between backticks.
        .flat_map(|line| line.split('`').step_by(2))
        .flat_map(|prose| prose.split('[').skip(1))
        .filter_map(|rest| rest.split_once(']'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(used, defined);
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    assert!(exists("launch::all_paths_to_a_directory_reach_one_daemon"));
    assert!(!exists("launch::all_paths_to_a_directory"));
    assert!(!exists(
        "no_such_file::all_paths_to_a_directory_reach_one_daemon"
    ));
}

fn page() -> String {
    fs::read_to_string(root().join("docs/field-reports.md")).expect("the page")
}

/// The tests that the first table names, and its number of rows. Panics at a row without a report or a test.
fn kept_rows(page: &str) -> (BTreeSet<String>, usize) {
    let section = page.split(KEPT).nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    let mut tests = BTreeSet::new();
    let mut rows = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "{row}");
        if cells[0].trim() == "kind" {
            continue;
        }
        rows += 1;
        assert!(cells[1].contains('['), "no report: {row}");
        let named: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        tests.extend(named.into_iter().map(str::to_owned));
    }
    (tests, rows)
}

/// Whether `file::test` is a test in `daemon-tests/tests`.
fn exists(name: &str) -> bool {
    let Some((file, test)) = name.split_once("::") else {
        return false;
    };
    let path = root().join(format!("daemon-tests/tests/{file}.rs"));
    let source = fs::read_to_string(path).unwrap_or_default();
    // Between `#[test]` and the function there can be other attributes, but no other function.
    source
        .split_once(&format!("\nfn {test}()"))
        .and_then(|(before, _)| before.rsplit_once("#[test]"))
        .is_some_and(|(_, attributes)| !attributes.contains("\nfn "))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
