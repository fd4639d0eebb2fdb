//! What is wrong in a `main` is reported as if the attribute were not there.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Package, cases, targets};

const ATTRIBUTE: &str = "#[brokered_daemon(\"body\")]";

/// The same function without the attribute. A `main` could not take parameters then, so it is called something as
/// long, and another `main` makes it look used.
fn without(program: &str) -> String {
    assert!(
        program.contains(ATTRIBUTE) && program.contains("fn main("),
        "{program}"
    );
    let program = program
        .replace(ATTRIBUTE, "#[allow(clippy::all)]")
        .replace("fn main(", "fn same(")
        .replace("{Bound, brokered_daemon}", "{Bound}");
    // Below all that has a position.
    format!("{program}\n\n\n\nfn main() {{\n    let _ = same;\n}}\n")
}

/// All that a diagnostic says, and where: without the text of the lines, which the attribute is part of.
fn said(diagnostic: &Value) -> Value {
    let spans = diagnostic["spans"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|span| {
            serde_json::json!([
                span["line_start"],
                span["column_start"],
                span["line_end"],
                span["column_end"],
                span["is_primary"],
                text(&span["label"]),
                text(&span["suggested_replacement"]),
            ])
        });
    serde_json::json!({
        "level": diagnostic["level"],
        "code": diagnostic["code"]["code"],
        "message": text(&diagnostic["message"]),
        "spans": spans.collect::<Vec<_>>(),
        "children": diagnostic["children"].as_array().into_iter().flatten().map(said).collect::<Vec<_>>(),
    })
}

/// The function's name is the one thing in which the two programs differ.
fn text(value: &Value) -> Value {
    value
        .as_str()
        .map_or(Value::Null, |text| text.replace("`same`", "`main`").into())
}

/// What the compiler says of each target, and all of it as people see it.
fn diagnostics(package: &Package) -> BTreeMap<String, Vec<(Value, String)>> {
    let output = package.cargo(&["check", "--bins", "--keep-going", "--message-format=json"]);
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let diagnostic = &message["message"];
        // "aborting due to 1 previous error" is about the others.
        let points_somewhere = diagnostic["spans"]
            .as_array()
            .is_some_and(|spans| !spans.is_empty());
        if let (Some(target), true) = (message["target"]["name"].as_str(), points_somewhere) {
            let rendered = diagnostic["rendered"].as_str().unwrap_or_default();
            found
                .entry(target.to_owned())
                .or_default()
                .push((said(diagnostic), rendered.to_owned()));
        }
    }
    found
}

#[test]
fn a_body_is_reported_on_as_it_is_without_the_attribute() {
    let cases = cases("body");
    let name = |case: &Path| format!("with_{}", support::name(case));
    let other = |case: &Path| format!("without_{}", support::name(case));
    let mut bare = String::new();
    for name in cases.iter().map(|case| other(case)) {
        writeln!(bare, "[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"")
            .expect("a string takes it");
    }
    let package = Package::new(
        "body",
        "2024",
        "brokered-runtime",
        &format!("{}{bare}", targets(&cases, name)),
    );
    for case in &cases {
        let program = fs::read_to_string(case).expect("the case");
        package.write(&format!("{}.rs", other(case)), &without(&program));
    }
    let found = diagnostics(&package);
    let mut wrong = Vec::new();
    for case in &cases {
        let with = found.get(&name(case)).map_or(&[][..], Vec::as_slice);
        let without = found.get(&other(case)).map_or(&[][..], Vec::as_slice);
        let only_said = |said: &[(Value, String)]| {
            // In whatever order.
            let mut said: Vec<_> = said.iter().map(|(said, _)| said.to_string()).collect();
            said.sort();
            said
        };
        let rendered: String = with.iter().map(|(_, rendered)| &**rendered).collect();
        let generated = [
            "__brokered",
            "DAEMON_ARGUMENT",
            "brokered_runtime::attribute",
            "attribute macro",
        ]
        .into_iter()
        .find(|generated| rendered.contains(generated));
        if without.is_empty() || only_said(with) != only_said(without) || generated.is_some() {
            let without: String = without.iter().map(|(_, rendered)| &**rendered).collect();
            wrong.push(format!(
                "=== {}\n{rendered}--- without the attribute\n{without}",
                support::name(case)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
