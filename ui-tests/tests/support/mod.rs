//! Compiles programs as a user does: with cargo, in a separate package.

#![allow(dead_code, reason = "no test uses all of it")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The compiler whose messages the `.stderr` files contain.
pub(crate) const PINNED: &str = "1.95.0";

/// The version of the compiler that this run uses.
pub(crate) fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-V")
        .output()
        .expect("rustc starts");
    let text = String::from_utf8(output.stdout).expect("rustc's version is text");
    text.split(' ')
        .nth(1)
        .expect("rustc has a version")
        .to_owned()
}

/// This package.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files in a folder of this package, at any depth, sorted.
pub(crate) fn cases(folder: &str) -> Vec<PathBuf> {
    let found = rust_files(&here().join(folder));
    assert!(!found.is_empty(), "no cases in {folder}");
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A case's name in messages.
pub(crate) fn name(case: &Path) -> String {
    case.file_stem()
        .expect("a file")
        .to_string_lossy()
        .into_owned()
}

/// `folder__file`, so that equal file names in different folders stay apart.
pub(crate) fn target_name(case: &Path) -> String {
    let folder = case.parent().and_then(Path::file_name).expect("a folder");
    format!("{}__{}", folder.to_string_lossy(), name(case))
}

/// A package outside of this workspace.
pub(crate) struct Package {
    root: PathBuf,
}

impl Package {
    /// A new package. `targets` is the rest of its manifest; the dependency on the runtime is called `runtime`.
    pub(crate) fn new(name: &str, edition: &str, runtime: &str, targets: &str) -> Self {
        let tokio = "tokio = { version = \"1\", default-features = false, features = [\"macros\", \"rt\"] }";
        Self::without_tokio(name, edition, runtime, &format!("{tokio}\n{targets}"))
    }

    /// The same without tokio. Its attribute uses all of `syn`; without it, the attribute is built with less of `syn`.
    pub(crate) fn without_tokio(name: &str, edition: &str, runtime: &str, targets: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&root).expect("the package's folder");
        let package = Self { root };
        let workspace = here().parent().expect("a workspace");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"{edition}\"\npublish = false\nautobins = false\n\
             [workspace]\n\
             [dependencies]\n{runtime} = {{ package = \"brokered-runtime\", path = {} }}\n\
             {targets}",
            quoted(&workspace.join("brokered-runtime")),
        );
        package.write("Cargo.toml", &manifest);
        // With the same versions, cargo does not ask a registry.
        fs::copy(
            workspace.join("Cargo.lock"),
            package.root.join("Cargo.lock"),
        )
        .expect("the workspace's lock file");
        package
    }

    /// A copy of a package in this folder. It has its own lock file, because it depends on more than the workspace does. Cargo
    /// changes the lock file only in the copy.
    pub(crate) fn copy(folder: &str) -> Self {
        let from = here().join(folder);
        let package = Self {
            root: Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder),
        };
        let read = |path: &Path| fs::read_to_string(path).expect("the package's file");
        let workspace = here().parent().expect("a workspace");
        let manifest = read(&from.join("Cargo.toml")).replace(
            "\"../../brokered-runtime\"",
            &quoted(&workspace.join("brokered-runtime")),
        );
        package.write("Cargo.toml", &manifest);
        package.write("Cargo.lock", &read(&from.join("Cargo.lock")));
        for source in rust_files(&from) {
            let path = source.strip_prefix(&from).expect("a file of the package");
            package.write(&path.to_string_lossy(), &read(&source));
        }
        package
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the file's folder");
        fs::write(path, text).expect("a file");
    }

    /// Removes a file, so that the next run starts without it.
    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).expect("the file was there");
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Output {
        self.cargo_that_downloads(&[arguments, &["--offline"]].concat())
    }

    pub(crate) fn cargo_that_downloads(&self, arguments: &[&str]) -> Output {
        Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_TERM_COLOR", "never")
            .output()
            .expect("cargo starts")
    }
}

/// The build directory of all packages.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("target")
}

/// A program that a package has built, with its own runtime directory.
pub(crate) fn program(name: &str, runtime_directory: &Path) -> Command {
    let path = target()
        .join("debug")
        .join(format!("{name}{}", env::consts::EXE_SUFFIX));
    program_at(&path, runtime_directory)
}

/// The same for any executable.
pub(crate) fn program_at(path: &Path, runtime_directory: &Path) -> Command {
    let mut program = Command::new(path);
    program
        .env("BROKERED_RUNTIME_DIR", runtime_directory)
        .env_remove("BROKERED_ROLE")
        .env_remove("BROKERED_INSTANCE")
        .stdin(Stdio::null());
    program
}

/// A target for each case, named by `name_of`.
pub(crate) fn targets(cases: &[PathBuf], name_of: impl Fn(&Path) -> String) -> String {
    let mut targets = String::new();
    for case in cases {
        let name = name_of(case);
        writeln!(targets, "[[bin]]\nname = {name:?}\npath = {}", quoted(case))
            .expect("a string takes it");
    }
    targets
}

/// A path in a manifest.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// Both streams of a process that has ended.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A compiler message, as the documentation shows it: without a note that only names the attribute, and with no text that is cut
/// off in a code block.
pub(crate) fn fitting(message: &str) -> String {
    let mut lines: Vec<_> = message
        .lines()
        .filter(|line| !line.contains("note: this error originates in the attribute macro"))
        .map(wrap)
        .collect();
    while lines
        .last()
        .is_some_and(|line| matches!(line.trim(), "" | "|"))
    {
        lines.pop();
    }
    lines.join("\n")
}

/// Breaks a text that is too long. The further lines begin below its beginning, as those of the compiler do.
fn wrap(line: &str) -> String {
    /// This many columns fit on a page that is 1200 pixels wide.
    const WIDTH: usize = 91;

    let Some(start) = start_of_text(line).filter(|_| line.chars().count() > WIDTH) else {
        return line.to_owned();
    };
    let (label, text) = line.split_at(start);
    let below = match label.split_once('|') {
        Some((gutter, label)) => format!("{gutter}|{}", " ".repeat(label.len())),
        None => " ".repeat(start),
    };
    let mut wrapped = label.to_owned();
    let mut column = start;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > start && column + 1 + width > WIDTH {
            wrapped.push('\n');
            wrapped.push_str(&below);
            column = start;
        } else if column > start {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += width;
    }
    wrapped
}

/// Where the compiler's own text begins in a line of its output. A line of code has none.
fn start_of_text(line: &str) -> Option<usize> {
    let Some((_, marked)) = line.split_once(" | ") else {
        return ["error: ", "]: ", "= help: ", "= note: ", "help: ", "note: "]
            .iter()
            .find_map(|label| Some(line.find(label)? + label.len()));
    };
    let text = marked.trim_start_matches([' ', '^', '-']);
    let mark = &marked[..marked.len() - text.len()];
    (mark.contains(['^', '-']) || text.starts_with("move occurs")).then(|| line.len() - text.len())
}
