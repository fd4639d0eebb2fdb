//! The files of a tree.
//!
//! These are the files that ripgrep searches: no hidden ones (`.git`, `.cache`), and none that a `.gitignore` in a git work tree
//! or an `.ignore` file excludes. Symbolic links are not followed.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Mutex,
};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::file_stamp::Stamp;

/// The relative path of a file or directory, and its stamp.
pub(crate) type Found = (PathBuf, Stamp);

/// The result of a walk.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Sorted by path.
    pub(crate) files: Vec<Found>,
    /// The root has the empty path.
    pub(crate) directories: Vec<Found>,
    /// The paths that could not be read, and the reasons.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// Walks the tree at `root`.
pub(crate) fn walk(root: &Path, threads: usize) -> Walk {
    let all = Mutex::new(Walk::default());
    WalkBuilder::new(root)
        .threads(threads)
        .build_parallel()
        .run(|| {
            let mut part = Part {
                walk: Walk::default(),
                all: &all,
            };
            Box::new(move |entry| {
                part.walk.add(root, entry);
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
    fn add(&mut self, root: &Path, entry: Result<DirEntry, ignore::Error>) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return self.unreadable.push(path_and_reason(root, root, error)),
        };
        let path = relative(root, entry.path());
        match (entry.metadata(), entry.file_type()) {
            (Ok(metadata), Some(kind)) if kind.is_dir() => {
                self.directories.push((path, Stamp::of(&metadata)));
            }
            (Ok(metadata), Some(kind)) if kind.is_file() => {
                self.files.push((path, Stamp::of(&metadata)));
            }
            (Err(error), _) => self
                .unreadable
                .push(path_and_reason(root, entry.path(), error)),
            // Symbolic links, sockets, devices and fifos.
            (Ok(_), _) => {}
        }
    }
}

/// The result of one thread, which is added to the whole when the thread ends.
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

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// The relative path of an error of the walk, or `path` if the error has none, and the reason.
fn path_and_reason(root: &Path, path: &Path, error: ignore::Error) -> (PathBuf, String) {
    match error {
        ignore::Error::WithPath { path, err } => path_and_reason(root, &path, *err),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_and_reason(root, path, *err)
        }
        other => (relative(root, path), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_same_files_are_found_as_by_ripgrep() {
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
