//! Which module may import which. The test reads the sources as text, so it sees every platform and every feature.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom in `brokered-runtime/src`, from the bottom to the top.
///
/// A row names a top-level file or folder, then the ones that it may import. A row may name only rows above it, so the
/// table has no cycle. `lib.rs` re-exports names and may import everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Two functions that the platforms need, too.
    ("hash", &[]),
    ("nonce", &[]),
    // The operating system. It knows nothing of daemons.
    ("platform", &["hash", "nonce"]),
    // Small things without state.
    ("deadline", &[]),
    ("backoff", &["deadline"]),
    ("timestamp", &[]),
    ("diagnostics", &["platform", "timestamp"]),
    ("log_file", &["platform"]),
    ("errors", &[]),
    ("guide", &[]),
    ("never", &[]),
    ("phase", &[]),
    ("fault", &["platform"]),
    ("fields", &["platform"]),
    // What this process is.
    ("own_daemon", &[]),
    // What daemon and client share: names, files, locks, and the texts that they exchange.
    ("refusal", &["platform"]),
    ("identity", &["hash", "platform", "refusal"]),
    ("handoff", &["fields", "identity"]),
    ("instance_lock", &["identity", "platform"]),
    (
        "endpoint",
        &["identity", "instance_lock", "platform", "refusal"],
    ),
    (
        "record",
        &["fields", "identity", "phase", "platform", "refusal"],
    ),
    (
        "control",
        &[
            "backoff",
            "deadline",
            "diagnostics",
            "endpoint",
            "fields",
            "identity",
            "instance_lock",
            "own_daemon",
            "phase",
            "platform",
            "record",
            "refusal",
        ],
    ),
    // The two sides. Neither imports the other.
    (
        "daemon",
        &[
            "backoff",
            "control",
            "deadline",
            "diagnostics",
            "endpoint",
            "fault",
            "fields",
            "handoff",
            "identity",
            "instance_lock",
            "log_file",
            "own_daemon",
            "phase",
            "platform",
            "record",
            "refusal",
        ],
    ),
    (
        "launch",
        &[
            "backoff",
            "control",
            "deadline",
            "diagnostics",
            "endpoint",
            "fault",
            "fields",
            "handoff",
            "identity",
            "instance_lock",
            "log_file",
            "never",
            "nonce",
            "own_daemon",
            "phase",
            "platform",
            "record",
            "refusal",
        ],
    ),
    // What is built on the daemon's side.
    (
        "backend",
        &[
            "daemon",
            "endpoint",
            "handoff",
            "identity",
            "instance_lock",
            "never",
            "phase",
            "platform",
            "record",
        ],
    ),
    ("attribute", &["daemon", "identity", "never"]),
    // These may import everything below them.
    ("operator", ALL_BELOW),
    ("testing", ALL_BELOW),
    ("fuzz", ALL_BELOW),
];

/// Stands for all rows above.
const ALL_BELOW: &[&str] = &["*"];

#[test]
fn the_table_has_no_cycle_and_names_every_module() {
    let mut above = BTreeSet::new();
    for (row, allowed) in MAY_IMPORT {
        for name in allowed.iter().filter(|name| **name != "*") {
            assert!(
                above.contains(name),
                "{row} names {name}, which is not above it"
            );
        }
        assert!(above.insert(row), "{row} has two rows");
    }
    let runtime = Crate::read("brokered-runtime", "lib.rs");
    for module in runtime.modules.values() {
        let row = row_of(&module.file);
        assert!(row == "lib" || above.contains(&row), "{row} has no row");
    }
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let position = |row: &str| MAY_IMPORT.iter().position(|(name, _)| *name == row);
    let runtime = Crate::read("brokered-runtime", "lib.rs");
    let mut forbidden = BTreeSet::new();
    for import in runtime.imports() {
        let (from, to) = (
            row_of(&import.file),
            row_of(&runtime.modules[&import.to].file),
        );
        if from == "lib" || to == "lib" || from == to {
            continue;
        }
        let is_allowed = position(from).is_some_and(|index| {
            let allowed = MAY_IMPORT[index].1;
            allowed.contains(&to) || allowed == ALL_BELOW && position(to) < Some(index)
        });
        if !is_allowed {
            forbidden.insert(format!("{} imports {}", import.file, import.to));
        }
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

/// The row of a file below `src`: its folder, or its own name.
fn row_of(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

#[test]
fn no_folder_has_an_import_cycle() {
    let mut cycles = Vec::new();
    for (package, root) in [
        ("brokered-runtime", "lib.rs"),
        ("brokered-cli", "main.rs"),
        ("brokered-macros", "lib.rs"),
    ] {
        let sources = Crate::read(package, root);
        for (folder, graph) in sources.sibling_graphs() {
            let name = format!("{package}/src/{}", folder.replace("::", "/"));
            let name = name.trim_end_matches('/');
            // The table speaks of the modules of the runtime itself.
            let has_a_table = package == "brokered-runtime" && folder.is_empty();
            if has_a_table {
                continue;
            }
            if let Some(cycle) = cycle_in(&graph) {
                cycles.push(format!("{name}: {}", cycle.join(" -> ")));
            }
        }
    }
    assert!(cycles.is_empty(), "{cycles:#?}");
}

#[test]
fn the_reader_finds_paths_and_cycles() {
    let mut modules = BTreeMap::new();
    for (name, text) in [
        ("", "pub use daemon::{Bound, serve::Incoming as Clients};"),
        ("daemon", "pub use bound::Bound;"),
        (
            "daemon::bound",
            "use super::{run, serve::{self, Incoming}}; // use super::comment;",
        ),
        (
            "daemon::run",
            "mod inner { use super::super::bound::x; } const S: &str = \"super::text\";",
        ),
        (
            "daemon::serve",
            "fn f() -> crate::Bound { crate::Clients::y() }",
        ),
    ] {
        modules.insert(name.to_owned(), Module::of("x.rs", name, text));
    }
    let sources = Crate { modules };
    let edges: BTreeSet<(String, String)> = sources
        .imports()
        .map(|import| (import.from, import.to))
        .collect();
    let expected = [
        ("daemon::bound", "daemon::run"),
        ("daemon::bound", "daemon::serve"),
        ("daemon::run", "daemon::bound"),
        ("daemon::serve", "daemon::bound"),
        ("daemon::serve", "daemon::serve"),
    ];
    for (from, to) in expected {
        assert!(
            edges.contains(&(from.to_owned(), to.to_owned())),
            "{from} -> {to} in {edges:?}"
        );
    }
    assert!(
        !edges
            .iter()
            .any(|(_, to)| to.contains("text") || to.contains("comment")),
        "{edges:?}"
    );
    assert!(cycle_in(&sources.sibling_graphs()["daemon"]).is_some());
    let text = "f<'a>('{', '\\'', b'}', \"}\\\"\", r#\"\"}\"#) /* } */ // }";
    assert_eq!(tokens(text).concat(), "f<a>(,,,,)");
    let line = BTreeMap::from([("a".to_owned(), BTreeSet::from(["b".to_owned()]))]);
    assert_eq!(cycle_in(&line), None);
}

/// The modules of a package, by path: `daemon::bound`. The crate's root is the empty path.
struct Crate {
    modules: BTreeMap<String, Module>,
}

struct Module {
    /// The file, below `src`.
    file: String,
    /// The paths that the file names, from the crate's root.
    paths: Vec<Vec<String>>,
    /// Names that the module re-exports, and the paths that they stand for.
    exports: BTreeMap<String, Vec<String>>,
}

struct Import {
    file: String,
    from: String,
    to: String,
}

impl Crate {
    fn read(package: &str, root: &str) -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(package)
            .join("src");
        let mut modules = BTreeMap::new();
        let mut files = vec![(String::new(), sources.join(root))];
        while let Some((path, file)) = files.pop() {
            let text = fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let name = file.strip_prefix(&sources).expect("below src");
            for (child, child_file) in children_of(&file, &text) {
                files.push((joined(&path, &child), child_file));
            }
            let module = Module::of(&name.to_string_lossy(), &path, &text);
            modules.insert(path, module);
        }
        Self { modules }
    }

    fn imports(&self) -> impl Iterator<Item = Import> {
        self.modules.iter().flat_map(move |(from, module)| {
            module.paths.iter().map(move |path| Import {
                file: module.file.clone(),
                from: from.clone(),
                to: self.module_of(path, 0),
            })
        })
    }

    /// The module that holds what a path names, after re-exports.
    fn module_of(&self, path: &[String], depth: usize) -> String {
        assert!(depth < 16, "re-exports of each other: {path:?}");
        let mut module = String::new();
        for (index, name) in path.iter().enumerate() {
            let child = joined(&module, name);
            if self.modules.contains_key(&child) {
                module = child;
                continue;
            }
            let export = self
                .modules
                .get(&module)
                .and_then(|it| it.exports.get(name));
            return match export {
                Some(export) => {
                    let rest = path[index + 1..].iter();
                    let whole: Vec<String> = export.iter().chain(rest).cloned().collect();
                    self.module_of(&whole, depth + 1)
                }
                None => module,
            };
        }
        module
    }

    /// For each folder, which of its modules imports which other one.
    fn sibling_graphs(&self) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        let mut graphs: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for import in self.imports() {
            let from: Vec<&str> = segments(&import.from);
            let to: Vec<&str> = segments(&import.to);
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(child), Some(other)) = (from.get(common), to.get(common)) {
                let graph = graphs.entry(from[..common].join("::")).or_default();
                let edges = graph.entry((*child).to_owned()).or_default();
                edges.insert((*other).to_owned());
            }
        }
        graphs
    }
}

impl Module {
    fn of(file: &str, path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let mut module = Self {
            file: file.to_owned(),
            paths: Vec::new(),
            exports: BTreeMap::new(),
        };
        let path: Vec<String> = segments(path).into_iter().map(str::to_owned).collect();
        module.scan(&tokens, &path);
        module
    }

    fn scan(&mut self, tokens: &[String], module: &[String]) {
        // Inline modules that are open, each with the depth of braces inside of it.
        let mut inline: Vec<(String, usize)> = Vec::new();
        let mut depth = 0_usize;
        let mut index = 0;
        let at = |index: usize| tokens.get(index).map_or("", String::as_str);
        while index < tokens.len() {
            match at(index) {
                "{" => depth += 1,
                "}" => {
                    if inline.last().is_some_and(|(_, inside)| *inside == depth) {
                        inline.pop();
                    }
                    depth = depth.saturating_sub(1);
                }
                "mod" if at(index + 2) == "{" => {
                    inline.push((at(index + 1).to_owned(), depth + 1));
                }
                "use" => {
                    let mut here = module.to_vec();
                    here.extend(inline.iter().map(|(name, _)| name.clone()));
                    let is_export = index > 0 && matches!(at(index - 1), "pub" | ")");
                    let mut leaves = Vec::new();
                    index = use_tree(tokens, index + 1, &[], &mut leaves);
                    for (path, name) in leaves {
                        let starts_here = !matches!(path[0].as_str(), "crate" | "super" | "self");
                        let Some(path) = resolved(&path, &here) else {
                            continue;
                        };
                        if is_export && inline.is_empty() {
                            let path = if starts_here {
                                with(module, &path)
                            } else {
                                path.clone()
                            };
                            self.exports.insert(name, path);
                        }
                        if !starts_here {
                            self.paths.push(path);
                        }
                    }
                    continue;
                }
                "crate" | "super" if at(index + 1) == "::" && at(index.wrapping_sub(1)) != "::" => {
                    let mut here = module.to_vec();
                    here.extend(inline.iter().map(|(name, _)| name.clone()));
                    let mut path = vec![at(index).to_owned()];
                    while at(index + 1) == "::" && is_name(at(index + 2)) {
                        path.push(at(index + 2).to_owned());
                        index += 2;
                    }
                    self.paths.extend(resolved(&path, &here));
                }
                _ => {}
            }
            index += 1;
        }
    }
}

/// Reads a tree of `use`, from `index` on, into its leaves: a path, and the name that it gets. Returns the index
/// behind it.
fn use_tree(
    tokens: &[String],
    mut index: usize,
    prefix: &[String],
    leaves: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let at = |index: usize| tokens.get(index).map_or("", String::as_str);
    let mut path = prefix.to_vec();
    while index < tokens.len() {
        match at(index) {
            "{" => {
                index += 1;
                while at(index) != "}" && index < tokens.len() {
                    index = use_tree(tokens, index, &path, leaves);
                    if at(index) == "," {
                        index += 1;
                    }
                }
                return index + 1;
            }
            "as" => {
                leaves.push((path, at(index + 1).to_owned()));
                return index + 2;
            }
            "self" if !path.is_empty() => {}
            "::" | "*" => {}
            name if is_name(name) => path.push(name.to_owned()),
            _ => break,
        }
        index += 1;
    }
    if let Some(name) = path.last().cloned() {
        leaves.push((path, name));
    }
    index
}

/// A path from the crate's root. `None` for one that leads out of the crate.
fn resolved(path: &[String], here: &[String]) -> Option<Vec<String>> {
    let mut base = Vec::new();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => rest = &path[1..],
        "self" => {
            base = here.to_vec();
            rest = &path[1..];
        }
        "super" => {
            base = here.to_vec();
            while rest.first().is_some_and(|name| name == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        _ => {}
    }
    Some(with(&base, rest))
}

fn with(base: &[String], rest: &[String]) -> Vec<String> {
    base.iter().chain(rest).cloned().collect()
}

/// The words and the punctuation of a source file, without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(end) = literal(rest) {
            end
        } else if is_name(&first.to_string()) {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            end
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[end..];
    }
    tokens
}

/// The length of the string or the character that a text begins with.
fn literal(text: &str) -> Option<usize> {
    let body = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - body.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end)? + end.len();
        return Some(prefix + 1 + hashes + 1 + length);
    }
    let mut characters = body.char_indices();
    let quote = characters
        .next()
        .filter(|(_, c)| matches!(c, '"' | '\''))?
        .1;
    if quote == '\'' && !body.starts_with("'\\") && body.chars().nth(2) != Some(quote) {
        // A lifetime.
        return Some(prefix + 1);
    }
    while let Some((index, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return Some(prefix + index + 1);
        }
    }
    None
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The modules that a file declares, each with its own file.
fn children_of(file: &Path, text: &str) -> Vec<(String, PathBuf)> {
    let directory = file.parent().expect("a directory");
    let stem = file.file_stem().expect("a name").to_string_lossy();
    let below = if matches!(&*stem, "lib" | "main" | "mod") {
        directory.to_owned()
    } else {
        directory.join(&*stem)
    };
    let mut children = Vec::new();
    let mut given_path = None;
    for line in text.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"") {
            given_path = path.strip_suffix("\"]").map(|path| directory.join(path));
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = words.last().and_then(|name| name.strip_suffix(';')) else {
            continue;
        };
        let is_module = words.len() >= 2 && words[words.len() - 2] == "mod";
        if !is_module || line.starts_with("//") {
            continue;
        }
        let candidates = [
            given_path.take().unwrap_or_default(),
            below.join(format!("{name}.rs")),
            below.join(name).join("mod.rs"),
        ];
        let found = candidates.iter().find(|path| path.is_file());
        let found = found.unwrap_or_else(|| panic!("{}: no file for {name}", file.display()));
        children.push((name.to_owned(), found.clone()));
    }
    children
}

/// A cycle in a graph: its modules, beginning and ending with the same one.
fn cycle_in(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn follow(
        graph: &BTreeMap<String, BTreeSet<String>>,
        name: &str,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|on_path| on_path == name) {
            let mut cycle = path[start..].to_vec();
            cycle.push(name.to_owned());
            return Some(cycle);
        }
        if done.contains(name) {
            return None;
        }
        path.push(name.to_owned());
        for next in graph.get(name).into_iter().flatten() {
            if let Some(cycle) = follow(graph, next, path, done) {
                return Some(cycle);
            }
        }
        path.pop();
        done.insert(name.to_owned());
        None
    }
    let mut done = BTreeSet::new();
    graph
        .keys()
        .find_map(|name| follow(graph, name, &mut Vec::new(), &mut done))
}

fn joined(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_owned()
    } else {
        format!("{module}::{name}")
    }
}

fn segments(module: &str) -> Vec<&str> {
    module.split("::").filter(|name| !name.is_empty()).collect()
}
