//! The compiler messages in the README and on the attribute's page are the pinned ones.

mod support;

use std::fs;
use std::path::Path;

/// The message for a case, as for a user's `src/main.rs`.
fn pinned(case: &str) -> String {
    let case = format!("fail/{case}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{case}.stderr"));
    let text = fs::read_to_string(path).expect("the pinned text");
    support::fitting(&text.replace(&format!("{case}.rs"), "src/main.rs"))
}

#[test]
fn the_errors_on_the_attributes_page_are_the_pinned_ones() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../brokered-macros/src/lib.rs");
    let source = fs::read_to_string(source).expect("the attribute's source");
    let page: String = source
        .lines()
        .filter_map(|line| line.strip_prefix("///"))
        .flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"])
        .collect();
    for case in [
        "before_bind/parameter_without_state",
        "before_bind/daemon_from_a_call",
        "placement/in_a_module",
    ] {
        let shown = pinned(case);
        assert!(
            page.contains(&shown),
            "the attribute's page shows another error than\n{shown}"
        );
    }
}

#[test]
fn the_error_in_the_readme_is_the_pinned_one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = pinned("before_bind/parameter_without_state");
    let readme = fs::read_to_string(here.join("../README.md")).expect("the README");
    assert!(
        readme.contains(&shown),
        "the README shows another error than\n{shown}"
    );
}

#[test]
fn no_paragraph_of_the_readme_is_longer_than_four_lines() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(here.join("../README.md")).expect("the README");
    let mut in_code = false;
    let mut length = 0;
    for line in readme.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let is_prose = !in_code && !line.is_empty() && !line.starts_with(['|', '#', '`']);
        let starts_item = line.starts_with("- ");
        length = match (is_prose, starts_item) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => length + 1,
        };
        assert!(
            length <= 4,
            "this line is the fifth of its paragraph: {line}"
        );
    }
}
