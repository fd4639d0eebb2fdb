//! What the README shows of the compiler is what the compiler says.

use std::fs;
use std::path::Path;

#[test]
fn the_error_in_the_readme_is_the_pinned_one() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let case = "fail/before_bind/parameter_is_no_state";
    let pinned = fs::read_to_string(here.join(format!("{case}.stderr"))).expect("the pinned text");
    let shown = pinned.replace(&format!("{case}.rs"), "src/main.rs");
    let readme = fs::read_to_string(here.join("../README.md")).expect("the README");
    assert!(
        readme.contains(shown.trim_end()),
        "the README shows another error than\n{shown}"
    );
}
