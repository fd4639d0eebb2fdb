//! Programs that compile without a warning, and what they do when they run.

mod support;

use std::process::Output;

use support::{Package, cases, program, targets, text};

/// Builds without a warning.
fn build(package: &Package, arguments: &[&str]) {
    let output = package.cargo(arguments);
    let text = text(&output);
    assert!(
        output.status.success() && !text.contains("warning"),
        "{text}"
    );
}

/// Runs a program in a new runtime directory.
fn run(name: &str, role: Option<&str>, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    // The program creates it, with the mode that it needs.
    let mut program = program(name, &directory.path().join("runtime"));
    program.args(arguments);
    if let Some(role) = role {
        program.env("BROKERED_ROLE", role);
    }
    let output = program.output().expect("the program starts");
    let status = output.status;
    assert!(
        status.success(),
        "{name} ended with {status}:\n{}",
        text(&output)
    );
    output
}

fn built(edition: &str) -> Vec<String> {
    let cases = cases("pass");
    let name_of = |case: &std::path::Path| format!("{}_{edition}", support::name(case));
    let package = Package::new(
        &format!("accepted-{edition}"),
        edition,
        "brokered-runtime",
        &targets(&cases, name_of),
    );
    build(&package, &["build", "--bins"]);
    cases.iter().map(|case| name_of(case)).collect()
}

#[test]
fn each_program_compiles_without_a_warning_and_runs_in_edition_2021() {
    for name in built("2021") {
        run(&name, Some("daemon"), &[]);
    }
}

#[test]
fn each_program_compiles_without_a_warning_and_runs_in_edition_2024() {
    for name in built("2024") {
        run(&name, Some("daemon"), &[]);
    }
}

/// The corrections that the catalogue suggests are correct.
#[test]
fn each_corrected_program_compiles_without_a_warning() {
    let cases = cases("fixed");
    let package = Package::new(
        "fixed",
        "2024",
        "brokered-runtime",
        &targets(&cases, support::target_name),
    );
    build(&package, &["check", "--bins"]);
}

/// `syn` parses more with its feature `full`, which another dependency may have enabled.
#[test]
fn every_type_is_accepted_whatever_features_syn_has() {
    let cases = cases("pass");
    let without_tokio = |case: &std::path::PathBuf| {
        std::fs::read_to_string(case).is_ok_and(|program| !program.contains("tokio"))
    };
    let cases: Vec<_> = cases.into_iter().filter(without_tokio).collect();
    let package = Package::without_tokio(
        "without-full-syn",
        "2024",
        "brokered-runtime",
        &targets(&cases, |case| {
            format!("without_full_syn_{}", support::name(case))
        }),
    );
    build(&package, &["check", "--bins"]);
}

#[test]
fn each_option_does_what_is_documented() {
    let cases: Vec<_> = cases("pass")
        .into_iter()
        .filter(|case| ["cli", "help_text", "help_none"].contains(&&*support::name(case)))
        .collect();
    let package = Package::new(
        "options",
        "2024",
        "brokered-runtime",
        &targets(&cases, |case| format!("options_{}", support::name(case))),
    );
    build(&package, &["build", "--bins"]);
    let stdout = |name, role, arguments: &[&str]| {
        String::from_utf8(run(name, role, arguments).stdout).expect("text")
    };

    assert_eq!(stdout("options_cli", None, &[]), "client\n");
    assert_eq!(stdout("options_cli", Some("daemon"), &[]), "daemon\n");
    assert_eq!(
        stdout("options_help_text", None, &["--help"]),
        "help of its own\n"
    );
    assert_eq!(
        stdout("options_help_text", None, &["--version"]),
        "options 1.2.3\n"
    );
    assert_eq!(
        stdout("options_help_none", None, &["--help"]),
        "given --help\n"
    );
}

const DAEMON: &str = "
#[brokered_daemon(\"daemon\", crate = ::renamed)]
fn main(_: renamed::Bound) {}
";

#[test]
fn the_runtime_can_have_another_name() {
    let package = Package::new(
        "renamed",
        "2024",
        "renamed",
        "[[bin]]\nname = \"renamed\"\npath = \"main.rs\"\n",
    );
    package.write(
        "main.rs",
        &format!("use renamed::brokered_daemon;\n{DAEMON}"),
    );
    build(&package, &["build", "--bins"]);
    run("renamed", None, &[]);
}

#[test]
fn every_target_that_is_a_process_can_be_a_daemon() {
    let package = Package::new(
        "processes",
        "2024",
        "renamed",
        "[lib]\npath = \"lib.rs\"\n\
         [[bin]]\nname = \"processes\"\npath = \"processes.rs\"\n\
         [[example]]\nname = \"an-example\"\npath = \"an-example.rs\"\n\
         [[test]]\nname = \"a-test\"\npath = \"a-test.rs\"\nharness = false\n\
         [[bench]]\nname = \"a-bench\"\npath = \"a-bench.rs\"\nharness = false\n",
    );
    package.write("lib.rs", "");
    for name in ["processes", "an-example", "a-test", "a-bench"] {
        package.write(
            &format!("{name}.rs"),
            &format!("use renamed::brokered_daemon;\n{DAEMON}"),
        );
    }
    build(&package, &["check", "--all-targets"]);
}

#[test]
fn a_binary_with_the_attribute_can_have_unit_tests() {
    let package = Package::new(
        "unit-tests",
        "2024",
        "renamed",
        "[[bin]]\nname = \"unit-tests\"\npath = \"main.rs\"\n",
    );
    package.write(
        "main.rs",
        &format!("use renamed::brokered_daemon;\n{DAEMON}\n#[test]\nfn passes() {{}}\n"),
    );
    let output = package.cargo(&["test", "--bins"]);
    let text = text(&output);
    assert!(
        output.status.success() && text.contains("1 passed") && !text.contains("warning"),
        "{text}"
    );
}
