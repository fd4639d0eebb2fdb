//! Errors in the body of `main` are reported as they are without the attribute.

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
    // After all lines whose positions are compared.
    format!("{program}\n\n\n\nfn main() {{\n    let _ = same;\n}}\n")
}

/// The messages and the positions of a diagnostic, without the text of the source lines, which contains the attribute.
fn comparable(diagnostic: &Value) -> Value {
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
        "children": diagnostic["children"].as_array().into_iter().flatten().map(comparable).collect::<Vec<_>>(),
    })
}

/// The two programs differ only in the name of the function.
fn text(value: &Value) -> Value {
    value
        .as_str()
        .map_or(Value::Null, |text| text.replace("`same`", "`main`").into())
}

/// The diagnostics of each target: to compare, and as they are printed.
fn diagnostics(package: &Package) -> BTreeMap<String, Vec<(Value, String)>> {
    let output = package.cargo(&["check", "--bins", "--keep-going", "--message-format=json"]);
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let diagnostic = &message["message"];
        // "aborting due to 1 previous error" has no position.
        let points_somewhere = diagnostic["spans"]
            .as_array()
            .is_some_and(|spans| !spans.is_empty());
        if let (Some(target), true) = (message["target"]["name"].as_str(), points_somewhere) {
            let rendered = diagnostic["rendered"].as_str().unwrap_or_default();
            found
                .entry(target.to_owned())
                .or_default()
                .push((comparable(diagnostic), rendered.to_owned()));
        }
    }
    found
}

#[test]
fn errors_in_a_body_are_the_same_without_the_attribute() {
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
            // The order does not matter.
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
