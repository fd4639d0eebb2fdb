//! Each relative link in a Markdown file of the workspace leads to a file, and each `#anchor` to a heading.
//!
//! rustdoc checks the links to items. It does not check their anchors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn each_relative_link_and_each_anchor_has_a_target() {
    let pages = markdown_files();
    assert!(pages.len() > 25, "{} files", pages.len());
    let mut wrong = Vec::new();
    let mut files = 0;
    let mut anchors = 0;
    for page in &pages {
        for link in links(&prose(page)) {
            let (address, anchor) = match link.split_once('#') {
                Some((address, anchor)) => (address, Some(anchor)),
                None => (link.as_str(), None),
            };
            let Some(target) = target(page, address) else {
                continue;
            };
            files += 1;
            if !target.exists() {
                wrong.push(format!("{}: no file for {link}", page.display()));
                continue;
            }
            if let Some(anchor) = anchor {
                anchors += 1;
                if !headings(&target).contains(anchor) {
                    wrong.push(format!("{}: no heading for {link}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        files > 60 && anchors > 40,
        "{files} links, {anchors} with an anchor"
    );
}

#[test]
fn links_in_code_are_not_links() {
    let text = without_code("[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n[g]: h.md\n[i](j.md#k)");
    assert_eq!(links(&text), ["b.md", "h.md", "j.md#k"]);
}

#[test]
fn an_anchor_is_a_heading_in_lower_case_with_hyphens() {
    assert_eq!(
        slug("What `cargo doc` can't see, 2"),
        "what-cargo-doc-cant-see-2"
    );
}

/// The file that a relative address in `page` leads to. Links to other hosts and to Rust items have none.
fn target(page: &Path, address: &str) -> Option<PathBuf> {
    let folder = page.parent().expect("a file is in a folder");
    if address.is_empty() {
        return Some(page.to_owned());
    }
    // Pages of the guide link to each other by their modules.
    if let Some(module) = address.strip_prefix("crate::guide::") {
        return Some(folder.join(format!("guide-{module}.md")));
    }
    let is_rustdoc = folder.ends_with("brokered-runtime/docs");
    let is_file = Path::new(address)
        .extension()
        .is_some_and(|extension| extension != "html");
    let is_relative = !address.contains(':') && !address.contains('@');
    (is_relative && (is_file || !is_rustdoc)).then(|| folder.join(address))
}

fn markdown_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    let mut folders = vec![root.canonicalize().expect("the workspace")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or(".");
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn prose(page: &Path) -> String {
    without_code(&fs::read_to_string(page).expect("a text"))
}

/// The text without code blocks and without code between backticks.
fn without_code(text: &str) -> String {
    let mut in_block = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// The addresses in `[text](address)` and in `[text]: address`.
fn links(prose: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose.lines() {
        if line.starts_with('[') {
            links.extend(
                line.split_once("]: ")
                    .map(|(_, address)| address.to_owned()),
            );
        }
        for rest in line.split("](").skip(1) {
            links.extend(rest.split_once(')').map(|(address, _)| address.to_owned()));
        }
    }
    links
}

/// The anchors of the headings in a file.
fn headings(page: &Path) -> BTreeSet<String> {
    let mut in_block = false;
    fs::read_to_string(page)
        .expect("a text")
        .lines()
        .filter(|line| {
            in_block ^= line.starts_with("```");
            !in_block && line.starts_with('#')
        })
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .collect()
}

fn slug(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}
