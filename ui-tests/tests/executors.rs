//! Executors below the attribute compile without a warning, and start after bind.

mod support;

use support::{Package, here, program, text};

#[test]
fn executors_start_after_bind_and_after_the_states() {
    let package = Package::copy("executors");
    let output = package.cargo_that_downloads(&["build", "--bins"]);
    let said = text(&output);
    assert!(
        output.status.success() && !said.contains("warning"),
        "{said}"
    );
    let programs =
        std::fs::read_dir(here().join("executors/src/bin")).expect("the folder is there");
    let mut count = 0;
    for entry in programs {
        let path = entry.expect("an entry").path();
        let name = support::name(&path);
        let directory = tempfile::tempdir().expect("a directory");
        let output = program(&name, &directory.path().join("runtime"))
            .output()
            .expect("the program starts");
        let said = text(&output);
        assert!(output.status.success(), "{name}: {said}");
        assert!(said.contains("loaded\nwoken\n"), "{name}: {said}");
        count += 1;
    }
    assert!(count >= 4, "{count} programs");
}
