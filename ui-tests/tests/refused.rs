//! Programs that the compiler refuses, and its messages.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use catalogue::Raised;
use serde_json::Value;
use support::{PINNED, Package, cases, compiler, here, targets, text};

#[allow(dead_code, reason = "the tests use the table, not the messages")]
#[path = "../../brokered-macros/src/catalogue.rs"]
mod catalogue;

/// The messages are compared on one compiler only, because others word some of them differently. The codes are compared on all.
#[test]
fn each_mistake_has_its_pinned_message() {
    if compiler() == PINNED {
        let cases = trybuild::TestCases::new();
        for case in programs() {
            // trybuild keeps line numbers only for a file that is named as in the compiler's output.
            cases.compile_fail(case.strip_prefix(here()).expect("a case of this package"));
        }
    } else {
        println!(
            "rustc {} instead of {PINNED}: the texts are not compared",
            compiler()
        );
    }
}

/// A message with a type or a path of a platform would differ on other platforms.
#[test]
fn no_message_depends_on_the_platform() {
    const PLATFORM_WORDS: [&str; 7] = [
        "UdSocket",
        "NamedPipe",
        "os::unix",
        "os::windows",
        "os/unix",
        "os/windows",
        "libc",
    ];
    let texts = cases("fail")
        .into_iter()
        .map(|case| case.with_extension("stderr"));
    let mut seen = 0;
    for path in texts.filter(|path| path.exists()) {
        let text = fs::read_to_string(&path).expect("a text");
        for word in PLATFORM_WORDS {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 100, "{seen} texts");
}

/// Users read these texts. What the expansion names has readable names, on paths that do not say `private`.
#[test]
fn no_text_holds_a_private_name() {
    let mut texts = Vec::new();
    let mut folders = vec![here().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "stderr")
            {
                texts.push(path);
            }
        }
    }
    assert!(texts.len() > 100, "{} texts", texts.len());
    for path in texts {
        let text = fs::read_to_string(&path).expect("a text").to_lowercase();
        for name in ["__private", "__brokered"] {
            assert!(!text.contains(name), "{}: {name}", path.display());
        }
    }
}

/// The cases that are binaries: all but those in `library/`.
fn programs() -> Vec<PathBuf> {
    let (_, programs) = split();
    programs
}

/// The cases that are libraries, and all others.
fn split() -> (Vec<PathBuf>, Vec<PathBuf>) {
    cases("fail").into_iter().partition(|case| {
        case.parent()
            .is_some_and(|folder| folder.ends_with("library"))
    })
}

/// How many errors the case has. A case with more than one says why.
fn wanted(case: &Path) -> usize {
    let program = fs::read_to_string(case).expect("the case");
    if program.starts_with("// Two errors: ") {
        2
    } else {
        1
    }
}

fn stderr_of(case: &Path) -> String {
    let path = case.with_extension("stderr");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The codes in a compiler's output: `error[E0277]`, and `[B001]` at the end of a message.
fn codes(output: &str) -> BTreeSet<String> {
    output
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .map(|(code, _)| code)
        .filter(|code| {
            code.strip_prefix(['B', 'E']).is_some_and(|number| {
                (3..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
            })
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_mistake_is_one_error_with_its_code_on_every_compiler() {
    let cases = programs();
    let package = Package::new(
        "refused",
        "2024",
        "brokered-runtime",
        &targets(&cases, support::target_name),
    );
    let output = package.cargo(&["check", "--bins", "--keep-going", "--message-format=json"]);
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(target) = message["target"]["name"].as_str() else {
            continue;
        };
        let diagnostic = &message["message"];
        // "aborting due to 1 previous error" has no position.
        let points_somewhere = diagnostic["spans"]
            .as_array()
            .is_some_and(|spans| !spans.is_empty());
        if diagnostic["level"] == "error" && points_somewhere {
            errors
                .entry(target.to_owned())
                .or_default()
                .push(diagnostic["rendered"].to_string());
        }
    }
    let mut wrong = Vec::new();
    for case in &cases {
        let name = support::target_name(case);
        let Some(found) = errors.get(&name) else {
            wrong.push(format!(
                "{name} compiles, or was not reached:\n{}",
                text(&output).lines().take(5).collect::<String>()
            ));
            continue;
        };
        let expected = codes(&stderr_of(case));
        if found.len() != wanted(case) || !expected.is_subset(&codes(&found.concat())) {
            wrong.push(format!(
                "{name}: wants {} with {expected:?}, and has\n{}",
                wanted(case),
                found.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Each message contains the code of its entry. If the message is the compiler's own, it has the error code that the entry names.
#[test]
fn each_entry_of_the_catalogue_has_its_programs_and_each_code_is_in_the_catalogue() {
    let mut entries = BTreeSet::new();
    for entry in catalogue::CATALOGUE {
        entries.insert(entry.code.to_owned());
        let case = here().join("fail").join(entry.case).with_extension("rs");
        let shown = codes(&stderr_of(&case));
        let wanted = match entry.raised {
            Raised::Attribute => Some(entry.code),
            Raised::Compiler(number) => number,
        };
        if let Some(wanted) = wanted {
            assert!(shown.contains(wanted), "{}: {shown:?}", entry.code);
        }
        assert!(
            here()
                .join("fixed")
                .join(entry.case)
                .with_extension("rs")
                .is_file(),
            "{} has no corrected program",
            entry.code
        );
    }
    for case in cases("fail") {
        let shown = codes(&stderr_of(&case));
        let ours: Vec<_> = shown.iter().filter(|code| code.starts_with('B')).collect();
        assert!(ours.len() <= 1, "{}: {ours:?}", case.display());
        assert!(
            ours.iter().all(|code| entries.contains(*code)),
            "{}: {ours:?}",
            case.display()
        );
    }
    let fixed: BTreeSet<_> = cases("fixed").into_iter().collect();
    let named: BTreeSet<_> = catalogue::CATALOGUE
        .iter()
        .map(|entry| here().join("fixed").join(entry.case).with_extension("rs"))
        .collect();
    assert_eq!(fixed, named, "one corrected program for each entry");
}

/// trybuild builds binaries only. A `main` in a library is refused in any of its modules.
#[test]
fn a_main_in_a_library_is_refused() {
    let (libraries, _) = split();
    for case in &libraries {
        let name = support::name(case);
        let package = Package::new(
            &format!("library-{name}"),
            "2024",
            "brokered-runtime",
            "[lib]\npath = \"lib.rs\"\n",
        );
        package.write("lib.rs", &fs::read_to_string(case).expect("the case"));
        let output = text(&package.cargo(&["check", "--lib"]));
        let error = output.find("error").map_or("", |start| &output[start..]);
        let error = error.split("\n\n").next().unwrap_or_default();
        let workspace = format!("{}/", here().parent().expect("a workspace").display());
        let error = error.replace(&workspace, "$WORKSPACE/");
        let shown = error.replace("lib.rs", &format!("fail/library/{name}.rs"));
        let shown = format!("{}\n", shown.trim_end());
        if env::var("TRYBUILD").is_ok_and(|mode| mode == "overwrite") {
            fs::write(case.with_extension("stderr"), &shown).expect("the text");
        }
        if compiler() == PINNED {
            assert_eq!(shown, stderr_of(case));
        }
        assert!(output.contains("due to 1 previous error"), "{output}");
    }
}

/// Cargo also builds libraries for C, and examples that are libraries.
#[test]
fn each_kind_of_library_is_refused() {
    let root = here().join("fail/library/root.rs");
    let targets = format!(
        "[lib]\npath = {0}\ncrate-type = [\"cdylib\"]\n\
         [[example]]\nname = \"an-example\"\npath = {0}\ncrate-type = [\"lib\"]\n",
        support::quoted(&root)
    );
    let package = Package::new(
        "library-of-another-kind",
        "2024",
        "brokered-runtime",
        &targets,
    );
    for target in ["--lib", "--examples"] {
        let output = text(&package.cargo(&["check", target]));
        assert!(output.contains("[B106]"), "{target}:\n{output}");
    }
}

/// If the attribute does not find the runtime, there is one error.
#[test]
fn a_renamed_runtime_is_one_error() {
    let package = Package::new(
        "renamed-unsaid",
        "2024",
        "renamed",
        "[[bin]]\nname = \"renamed-unsaid\"\npath = \"main.rs\"\n",
    );
    package.write(
        "main.rs",
        "struct Index;\n\n\
         impl renamed::State for Index {\n    type Error = String;\n\n    \
         fn load(_: &renamed::Bound) -> Result<Self, String> {\n        Ok(Self)\n    }\n}\n\n\
         fn cli() {}\n\n\
         #[renamed::brokered_daemon(\"indexd\", cli = cli, help = \"text\")]\n\
         fn main(_: renamed::Bound, _: Index) -> std::io::Result<()> {\n    Ok(())\n}\n",
    );
    let output = text(&package.cargo(&["check", "--bins"]));
    assert!(
        output.contains("error[E0433]") && output.contains("`brokered_runtime`"),
        "{output}"
    );
    assert!(output.contains("main.rs:13:1"), "{output}");
    assert!(output.contains("due to 1 previous error"), "{output}");
}

#[test]
fn each_case_is_named_in_snake_case_and_has_its_message() {
    for case in cases("fail") {
        let name = support::name(&case);
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
        assert!(!stderr_of(&case).is_empty(), "{name}");
    }
    for entry in fs::read_dir(here().join("fail")).expect("the folder is there") {
        let folder = entry.expect("an entry").path();
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            assert!(
                path.with_extension("rs").exists(),
                "{} belongs to no case",
                path.display()
            );
        }
    }
}
