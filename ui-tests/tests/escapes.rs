//! All known escapes. Each one compiles, and the test sees it run before bind. The list of limits in the documentation is
//! generated from the first comments of these programs.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Package, cases, here, name, program, program_at, quoted, targets, text};

/// It looks like an escape, but its code runs after bind.
const AFTER_BIND: &str = "attribute_with_statements";

/// A library, and a program that calls it.
const LIBRARY: &str = "library_declared_as_a_binary";

/// A program whose test is run.
const TEST: &str = "called_by_a_test";

/// The programs whose code runs in a process that is not the daemon, or not yet.
const IN_CLI: [&str; 6] = [
    "bound_for_a_test",
    "contract_by_hand",
    "exec_from_cli",
    "forged_bound",
    "forged_bound_by_a_compiler_bug",
    "forged_bound_in_memory",
];

/// The programs without the crates that they use.
fn programs() -> Vec<PathBuf> {
    let mut programs: Vec<_> = fs::read_dir(here().join("escapes"))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    programs.sort();
    programs
}

/// A package with the crates that the programs use. Edition 2021 allows more escapes.
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

/// When the code of a program ran, as it prints it.
fn seen(binary: &str, role: Option<&str>) -> String {
    seen_of(binary, |directory| program(binary, directory), role)
}

/// The same for a program that is started with a runtime directory.
fn seen_of(name: &str, program: impl FnOnce(&Path) -> Command, role: Option<&str>) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    // The program creates it when it binds.
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

/// The comments about `forbid(unsafe_code)` are true: it refuses the programs whose comments say so.
#[test]
#[cfg(target_os = "linux")]
fn forbid_unsafe_code_refuses_the_escapes_that_say_so() {
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

/// These programs compile, but the running process refuses a second call of `main`.
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
fn a_test_can_run_code_before_it_calls_main() {
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
    assert!(!lines.is_empty(), "{} has no comment", case.display());
    lines.join("\n  ")
}

/// `BLESS=1` writes the list.
#[test]
fn the_documentation_lists_each_escape() {
    const BEGIN: &str = "<!-- Made from ui-tests/escapes. -->\n";
    const END: &str = "<!-- End of what is made. -->\n";
    let mut list = String::new();
    for case in programs() {
        if name(&case) != AFTER_BIND {
            writeln!(list, "- {}", comment(&case)).expect("a string takes it");
        }
    }
    let path = here().join("../brokered-runtime/docs/guide-limits.md");
    let text = fs::read_to_string(&path).expect("the documentation");
    let (before, rest) = text.split_once(BEGIN).expect("the begin of the list");
    let (_, after) = rest.split_once(END).expect("the end of the list");
    let made = format!("{before}{BEGIN}{list}{END}{after}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &made).expect("the documentation");
    }
    assert!(
        text == made || std::env::var_os("BLESS").is_some(),
        "the list in {} does not match `ui-tests/escapes`; BLESS=1 rewrites it",
        path.display()
    );
}
