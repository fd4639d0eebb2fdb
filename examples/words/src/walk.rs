//! Which files a tree has.
//!
//! The same ones that ripgrep would search: not hidden ones (`.git`, `.cache`), nor what a
//! `.gitignore` inside a git work tree or an `.ignore` file names; symbolic links are not followed.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Mutex,
};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::stamp::Stamp;

/// A file or directory, below the tree's root.
pub(crate) type Found = (PathBuf, Stamp);

/// All that a walk came by.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Sorted by path.
    pub(crate) files: Vec<Found>,
    /// The root is the empty path.
    pub(crate) directories: Vec<Found>,
    /// What could not be looked at, and why.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// Walks the tree at `root`.
pub(crate) fn walk(root: &Path, threads: usize) -> Walk {
    let all = Mutex::new(Walk::default());
    WalkBuilder::new(root)
        .threads(threads)
        .build_parallel()
        .run(|| {
            let mut mine = Part {
                walk: Walk::default(),
                all: &all,
            };
            Box::new(move |entry| {
                mine.walk.take(root, entry);
                WalkState::Continue
            })
        });
    let mut walk = all
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    walk.files.sort_unstable();
    walk.unreadable.sort_unstable();
    walk
}

impl Walk {
    fn take(&mut self, root: &Path, entry: Result<DirEntry, ignore::Error>) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return self.unreadable.push(blame(root, root, error)),
        };
        let below = below(root, entry.path());
        match (entry.metadata(), entry.file_type()) {
            (Ok(metadata), Some(kind)) if kind.is_dir() => {
                self.directories.push((below, Stamp::of(&metadata)));
            }
            (Ok(metadata), Some(kind)) if kind.is_file() => {
                self.files.push((below, Stamp::of(&metadata)));
            }
            (Err(error), _) => self.unreadable.push(blame(root, entry.path(), error)),
            // Links, sockets, devices and pipes.
            (Ok(_), _) => {}
        }
    }
}

/// What one thread of the walk has come by; it joins the whole when the thread is done.
struct Part<'a> {
    walk: Walk,
    all: &'a Mutex<Walk>,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let Walk {
            files,
            directories,
            unreadable,
        } = mem::take(&mut self.walk);
        if let Ok(mut all) = self.all.lock() {
            all.files.extend(files);
            all.directories.extend(directories);
            all.unreadable.extend(unreadable);
        }
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// The path that an error of the walk speaks of, or else `path`, and what happened there.
fn blame(root: &Path, path: &Path, error: ignore::Error) -> (PathBuf, String) {
    match error {
        ignore::Error::WithPath { path, err } => blame(root, &path, *err),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            blame(root, path, *err)
        }
        other => (below(root, path), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn finds_what_a_user_of_ripgrep_expects() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().join(".hidden-root");
        for directory in ["sub", ".git", "target"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for (file, content) in [
            ("b", ""),
            ("sub/a", ""),
            (".git/config", ""),
            (".hidden", ""),
            ("target/made", ""),
            ("notes.log", ""),
            (".gitignore", "target\n"),
            (".ignore", "*.log\n"),
        ] {
            fs::write(root.join(file), content).unwrap();
        }
        let walk = walk(&root, 2);
        assert_eq!(
            walk.files
                .iter()
                .map(|(path, _)| path.as_path())
                .collect::<Vec<_>>(),
            [Path::new("b"), Path::new("sub/a")]
        );
        let mut directories: Vec<_> = walk
            .directories
            .iter()
            .map(|(path, _)| path.as_path())
            .collect();
        directories.sort();
        assert_eq!(directories, [Path::new(""), Path::new("sub")]);
        assert_eq!(walk.unreadable, []);
    }
}
