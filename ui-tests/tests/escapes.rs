//! Every way around the wall that is known: each compiles, and is seen to run before bind. The documentation's ledger
//! of limits is these programs' first comments.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Package, cases, here, name, program, program_at, quoted, targets, text};

/// The attribute's other half: no escape, though it looks like one.
const AFTER_BIND: &str = "attribute_with_statements";

/// A library, and a program that calls it.
const LIBRARY: &str = "library_declared_as_a_binary";

/// A program whose tests are what runs.
const TEST: &str = "called_by_a_test";

/// Those whose early code runs in a process that is not the daemon, or not yet.
const IN_CLI: [&str; 6] = [
    "bound_for_a_test",
    "contract_by_hand",
    "exec_from_cli",
    "forged_bound",
    "forged_bound_by_a_compiler_bug",
    "forged_bound_in_memory",
];

/// The programs, without the crates that they use.
fn programs() -> Vec<PathBuf> {
    let mut programs: Vec<_> = fs::read_dir(here().join("escapes"))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    programs.sort();
    programs
}

/// A package with the crates that the programs use. In edition 2021, which shows more of them.
fn package(name: &str, targets: &str) -> Package {
    let others = here().join("escapes");
    Package::new(
        name,
        "2021",
        "brokered-runtime",
        &format!(
            "others = {{ path = {} }}\nstatements = {{ path = {} }}\n{targets}",
            quoted(&others.join("others")),
            quoted(&others.join("statements")),
        ),
    )
}

fn build(package: &Package) {
    let output = package.cargo(&["build", "--bins"]);
    assert!(output.status.success(), "{}", text(&output));
}

/// What a program says of when its code ran.
fn seen(binary: &str, role: Option<&str>) -> String {
    seen_of(binary, |directory| program(binary, directory), role)
}

/// The same of a program that is started with a runtime directory.
fn seen_of(name: &str, program: impl FnOnce(&Path) -> Command, role: Option<&str>) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    // Made by the program, when it binds.
    let mut program = program(&directory.path().join("runtime"));
    if let Some(role) = role {
        program.env("BROKERED_ROLE", role);
    }
    let output = program
        .stdout(Stdio::null())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{name}:\n{}", text(&output));
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.ends_with(" bind"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn binary(case: &Path) -> String {
    format!("escape_{}", name(case))
}

#[test]
#[cfg(target_os = "linux")]
fn each_escape_compiles_and_runs_before_bind() {
    let programs: Vec<_> = programs()
        .into_iter()
        .filter(|case| ![LIBRARY, TEST].contains(&&*name(case)))
        .collect();
    build(&package("escapes", &targets(&programs, binary)));
    let mut wrong = Vec::new();
    for case in &programs {
        let name = name(case);
        let role = (!IN_CLI.contains(&&*name)).then_some("daemon");
        let wanted = if name == AFTER_BIND {
            "after bind"
        } else {
            "before bind"
        };
        let seen = seen(&binary(case), role);
        if seen != wanted {
            wrong.push(format!("{name}: {wanted} was wanted, and seen was: {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the ledger says of `forbid(unsafe_code)`: those that it does not allow say so.
#[test]
#[cfg(target_os = "linux")]
fn unsafe_code_that_is_forbidden_is_no_escape() {
    const FORBID: &str = "#![forbid(unsafe_code)]";
    let says_so = |case: &PathBuf| {
        fs::read_to_string(case).is_ok_and(|program| !program.contains(&format!("\n{FORBID}")))
    };
    let programs: Vec<_> = programs().into_iter().filter(says_so).collect();
    let mut manifest = String::new();
    for case in &programs {
        for edition in ["2021", "2024"] {
            let name = format!("forbidden_{}_{edition}", name(case));
            writeln!(
                manifest,
                "[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"\nedition = \"{edition}\""
            )
            .expect("a string takes it");
        }
    }
    let package = package("escapes-forbidden", &manifest);
    for case in &programs {
        let program = fs::read_to_string(case).expect("the program");
        let unsafe_attributes = program
            .replace("#[no_mangle]", "#[unsafe(no_mangle)]")
            .replace(
                "#[export_name = \"main\"]",
                "#[unsafe(export_name = \"main\")]",
            )
            .replace(
                "#[link_section = \".init_array\"]",
                "#[unsafe(link_section = \".init_array\")]",
            );
        for (edition, program) in [("2021", &program), ("2024", &unsafe_attributes)] {
            package.write(
                &format!("forbidden_{}_{edition}.rs", name(case)),
                &format!("{FORBID}\n{program}").replace("//! ", "// "),
            );
        }
    }
    let output =
        text(&package.cargo(&["check", "--bins", "--keep-going", "--message-format=short"]));
    for case in &programs {
        for edition in ["2021", "2024"] {
            let file = format!("forbidden_{}_{edition}.rs", name(case));
            let is_refused = output
                .lines()
                .any(|line| line.starts_with(&file) && line.contains("error: "));
            assert!(is_refused, "{file} is not refused:\n{output}");
        }
    }
    assert!(programs.len() >= 4, "{programs:?}");
}

/// Ways that the compiler lets through, and the running process does not: it becomes a daemon, or its client, once.
#[test]
fn a_process_that_calls_main_again_ends_before_it_reaches_it() {
    let programs = cases("main_called_twice");
    let name_of = |case: &Path| format!("main_called_twice_{}", name(case));
    build(&package("main_called_twice", &targets(&programs, name_of)));
    for case in &programs {
        let directory = tempfile::tempdir().expect("a directory");
        let output = program(&name_of(case), &directory.path().join("runtime"))
            .output()
            .expect("the program starts");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(70), "{}: {said}", case.display());
        assert!(!said.contains("reached"), "{}: {said}", case.display());
        assert!(
            said.contains("main was called twice"),
            "{}: {said}",
            case.display()
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_library_that_is_declared_as_a_binary_runs_before_bind() {
    let case = here().join("escapes").join(LIBRARY).with_extension("rs");
    let package = package(
        "escape-library",
        &format!(
            "[lib]\nname = \"{LIBRARY}\"\npath = {}\n\
             [[bin]]\nname = \"escape_library\"\npath = \"main.rs\"\n",
            quoted(&case)
        ),
    );
    package.write("main.rs", &format!("fn main() {{ {LIBRARY}::start(); }}\n"));
    let refused = package.cargo(&["build", "--bins"]);
    assert!(text(&refused).contains("[B106]"), "{}", text(&refused));
    package.write(
        "build.rs",
        "fn main() { println!(\"cargo::rustc-env=CARGO_BIN_NAME=passed-off\"); }\n",
    );
    build(&package);
    package.remove("build.rs");
    assert_eq!(seen("escape_library", Some("daemon")), "before bind");
}

#[test]
#[cfg(target_os = "linux")]
fn a_main_that_a_test_calls_runs_after_what_the_test_does() {
    let case = here().join("escapes").join(TEST).with_extension("rs");
    let package = package("escape-test", &targets(&[case], binary));
    let output = package.cargo(&["test", "--bins", "--no-run", "--message-format=json"]);
    assert!(output.status.success(), "{}", text(&output));
    let harness = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .find_map(|message| message["executable"].as_str().map(str::to_owned))
        .expect("a harness was built");
    let start = |directory: &Path| program_at(Path::new(&harness), directory);
    assert_eq!(seen_of(TEST, start, None), "before bind");
}

/// The first comment of a program.
fn comment(case: &Path) -> String {
    let program = fs::read_to_string(case).expect("the program");
    let lines: Vec<_> = program
        .lines()
        .map_while(|line| line.strip_prefix("//! "))
        .collect();
    assert!(!lines.is_empty(), "{} says nothing", case.display());
    lines.join("\n  ")
}

/// `BLESS=1` writes the ledger.
#[test]
fn the_documentation_names_each_escape_and_no_other() {
    const BEGIN: &str = "<!-- Made from ui-tests/escapes. -->\n";
    const END: &str = "<!-- End of what is made. -->\n";
    let mut ledger = String::new();
    for case in programs() {
        if name(&case) != AFTER_BIND {
            writeln!(ledger, "- {}", comment(&case)).expect("a string takes it");
        }
    }
    let path = here().join("../brokered-runtime/docs/guide-limits.md");
    let text = fs::read_to_string(&path).expect("the documentation");
    let (before, rest) = text.split_once(BEGIN).expect("where the ledger begins");
    let (_, after) = rest.split_once(END).expect("where it ends");
    let made = format!("{before}{BEGIN}{ledger}{END}{after}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &made).expect("the documentation");
    }
    assert!(
        text == made || std::env::var_os("BLESS").is_some(),
        "the ledger in {} is not what `ui-tests/escapes` says; BLESS=1 makes it so",
        path.display()
    );
}
