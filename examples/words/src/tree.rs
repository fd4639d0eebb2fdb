//! The index of a directory tree, and its updates.

use std::{
    collections::{HashMap, HashSet},
    fmt, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
    vec,
};

use crate::{
    file_stamp::Stamp,
    mutex::lock,
    segment::{Builder, Content, Entry, Segment, Skipped},
    walk::{self, Found, Walk},
    watch::Watch,
};

/// The maximum number of threads that read files. Each builds its own segment with its own dictionary.
const MAX_THREADS: usize = 8;
/// A further thread is started only for this many files.
const MIN_FILES_PER_THREAD: usize = 256;
/// The system does not report changes through hard links, mapped memory or other machines. So the index is compared with the
/// disk at this interval, when no client waits.
const COMPARE_INTERVAL: Duration = Duration::from_secs(10);

/// Progress is reported after each of this many files.
const PROGRESS_INTERVAL: usize = 256;

/// Receives the number of files that were read, and the total.
pub(crate) type ProgressFn<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A directory and the index of its files.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    index: Mutex<Arc<Index>>,
    /// The start of the latest comparison with the disk. It is locked during a comparison.
    compared: Mutex<Option<Instant>>,
    watch: Watch,
}

/// A snapshot of the tree.
#[derive(Debug, Default)]
pub(crate) struct Index {
    parts: Vec<Part>,
    directories: Vec<Found>,
    unreadable: Vec<(PathBuf, String)>,
    size: Size,
}

/// A segment, without the files that have changed since or were removed.
#[derive(Debug, Clone)]
struct Part {
    segment: Arc<Segment>,
    dead: Arc<HashSet<usize>>,
}

impl Part {
    fn live(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.segment
            .entries()
            .iter()
            .enumerate()
            .filter(|(index, _)| !self.dead.contains(index))
    }

    fn live_count(&self) -> usize {
        self.segment.entries().len() - self.dead.len()
    }
}

/// The size of an index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) files: u64,
    /// The bytes of all text files.
    pub(crate) text: u64,
    /// The memory in bytes.
    pub(crate) memory: u64,
    pub(crate) binary: u64,
    pub(crate) large: u64,
    pub(crate) unreadable: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            text,
            memory,
            ..
        } = *self;
        write!(
            f,
            "{files} files with {} of text in {} of memory",
            Bytes(text),
            Bytes(memory)
        )
    }
}

/// A number of bytes, formatted for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10 << 20 {
            write!(f, "{} KiB", self.0 >> 10)
        } else {
            write!(f, "{} MiB", self.0 >> 20)
        }
    }
}

impl Tree {
    /// Reads the whole tree at `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        Self::read_with_progress(root, &|_, _| {})
    }

    /// Reads the whole tree at `root`, and reports the progress.
    pub(crate) fn read_with_progress(
        root: &Path,
        report_progress: ProgressFn<'_>,
    ) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        // Only an unreadable root is an error. Unreadable paths below it are part of the index.
        fs::read_dir(root)
            .with_context(|| format!("cannot read the directory {}", root.display()))?;
        let tree = Self {
            root: root.to_owned(),
            index: Mutex::default(),
            compared: Mutex::default(),
            watch: Watch::new(root),
        };
        tree.refresh(report_progress);
        // The watch started during the first pass, so a second check is necessary.
        tree.current();
        Ok(tree)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The up-to-date index. If the system reports changes and has reported none, this is cheap. Otherwise the metadata of all
    /// files is read, which takes about a microsecond for each.
    pub(crate) fn current(&self) -> Arc<Index> {
        let now = Instant::now();
        if !self.watch.is_unchanged() {
            self.compare(now);
        }
        self.latest()
    }

    /// Compares index and disk, if [`COMPARE_INTERVAL`] has elapsed.
    pub(crate) fn compare_if_due(&self) {
        if let Some(due) = Instant::now().checked_sub(COMPARE_INTERVAL) {
            self.compare(due);
        }
    }

    /// Compares index and disk, unless another comparison has started after `since`.
    fn compare(&self, since: Instant) {
        let mut compared = lock(&self.compared);
        if compared.is_some_and(|begun| begun >= since) {
            return;
        }
        let begun = Instant::now();
        let changes = self.watch.changes();
        if !self.latest().is_same_on_disk(&self.root) {
            self.refresh(&|_, _| {});
        }
        self.watch.set_checked(changes);
        *compared = Some(begun);
    }

    fn latest(&self) -> Arc<Index> {
        Arc::clone(&lock(&self.index))
    }

    /// Walks the tree, reads new and changed files, and watches new directories.
    fn refresh(&self, report_progress: ProgressFn<'_>) {
        let walk = walk::walk(&self.root, threads());
        let index = Arc::new(self.latest().updated(&self.root, walk, report_progress));
        self.watch.directories(
            index
                .directories
                .iter()
                .map(|(path, _)| self.root.join(path)),
        );
        *lock(&self.index) = index;
    }
}

impl Index {
    /// All files whose lines may contain all `words`, sorted by path, each with its candidate lines.
    pub(crate) fn candidates(&self, words: &[Vec<u8>]) -> Vec<(&Entry, Vec<u32>)> {
        let mut files: Vec<(&Entry, Vec<u32>)> = Vec::new();
        for part in &self.parts {
            let found = part
                .segment
                .lines_with_all(words)
                .into_iter()
                .filter(|(index, _)| !part.dead.contains(index));
            files.extend(found.map(|(index, lines)| (&part.segment.entries()[index], lines)));
        }
        files.sort_unstable_by_key(|(entry, _)| &entry.path);
        files
    }

    /// The skipped paths and the reasons, sorted by path.
    pub(crate) fn skipped(&self) -> Vec<(&Path, Skipped)> {
        let mut skipped: Vec<(&Path, Skipped)> = self
            .unreadable
            .iter()
            .map(|(path, why)| (path.as_path(), Skipped::Unreadable(why.clone())))
            .collect();
        skipped.extend(self.entries().filter_map(|entry| match &entry.content {
            Content::Skipped(why) => Some((entry.path.as_path(), why.clone())),
            Content::Text => None,
        }));
        skipped.sort_unstable_by_key(|&(path, _)| path);
        skipped
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    fn measure(&self) -> Size {
        let mut size = Size {
            unreadable: self.unreadable.len() as u64,
            ..Size::default()
        };
        for entry in self.entries() {
            size.files += 1;
            match entry.content {
                Content::Text => size.text += entry.stamp.len,
                Content::Skipped(Skipped::Binary) => size.binary += 1,
                Content::Skipped(Skipped::Large) => size.large += 1,
                Content::Skipped(Skipped::Unreadable(_)) => size.unreadable += 1,
            }
        }
        size.memory = self
            .parts
            .iter()
            .map(|part| part.segment.memory() as u64)
            .sum();
        size
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.parts
            .iter()
            .flat_map(|part| part.live().map(|(_, entry)| entry))
    }

    /// Whether each file and directory still has its stamp. A new file changes the stamp of its directory.
    fn is_same_on_disk(&self, root: &Path) -> bool {
        let directories = self
            .directories
            .iter()
            .map(|(path, stamp)| (path.as_path(), *stamp));
        let all: Vec<(&Path, Stamp)> = directories
            .chain(
                self.entries()
                    .map(|entry| (entry.path.as_path(), entry.stamp)),
            )
            .collect();
        let same = AtomicBool::new(true);
        let share = all.len().div_ceil(threads()).max(MIN_FILES_PER_THREAD);
        thread::scope(|scope| {
            for share in all.chunks(share) {
                let same = &same;
                scope.spawn(move || {
                    for (path, stamp) in share {
                        if !same.load(Ordering::Relaxed) {
                            return;
                        }
                        if !fs::symlink_metadata(root.join(path))
                            .is_ok_and(|metadata| Stamp::of(&metadata) == *stamp)
                        {
                            same.store(false, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        same.into_inner()
    }

    /// The index of the files that the walk has found. Unchanged files are kept, the others are read.
    fn updated(&self, root: &Path, walk: Walk, report_progress: ProgressFn<'_>) -> Self {
        let began = SystemTime::now();
        let mut unseen: HashMap<&Path, (usize, usize)> = HashMap::new();
        for (number, part) in self.parts.iter().enumerate() {
            unseen.extend(
                part.live()
                    .map(|(index, entry)| (entry.path.as_path(), (number, index))),
            );
        }
        let mut dead: Vec<HashSet<usize>> =
            self.parts.iter().map(|part| (*part.dead).clone()).collect();
        let mut to_read = Vec::new();
        for (path, stamp) in walk.files {
            if let Some((number, index)) = unseen.remove(path.as_path()) {
                let entry = &self.parts[number].segment.entries()[index];
                if entry.stamp == stamp
                    && !matches!(entry.content, Content::Skipped(Skipped::Unreadable(_)))
                {
                    continue;
                }
                dead[number].insert(index);
            }
            to_read.push((path, stamp));
        }
        for (number, index) in unseen.into_values() {
            dead[number].insert(index);
        }
        let mut parts: Vec<Part> = self
            .parts
            .iter()
            .zip(dead)
            .map(|(part, dead)| Part {
                segment: Arc::clone(&part.segment),
                dead: Arc::new(dead),
            })
            .collect();
        merge_small_parts(&mut parts, &mut to_read);
        to_read.sort_unstable();
        let new = read(root, to_read, began, report_progress);
        parts.extend(new.into_iter().map(|segment| Part {
            segment: Arc::new(segment),
            dead: Arc::default(),
        }));
        let directories = walk
            .directories
            .into_iter()
            .map(|(path, stamp)| (path, stamp.settled_before(began)))
            .collect();
        let mut index = Self {
            parts,
            directories,
            unreadable: walk.unreadable,
            size: Size::default(),
        };
        index.size = index.measure();
        index
    }
}

/// Merges parts into the files to read, if they are not much larger than these or mostly dead. So there are never many parts,
/// and few files are read twice.
fn merge_small_parts(parts: &mut Vec<Part>, to_read: &mut Vec<Found>) {
    while let Some(small) = parts.iter().position(|part| {
        let live = part.live_count();
        live < 2 * to_read.len() || 2 * live < part.segment.entries().len()
    }) {
        let part = parts.swap_remove(small);
        to_read.extend(
            part.live()
                .map(|(_, entry)| (entry.path.clone(), entry.stamp)),
        );
    }
}

/// Reads `files` into new segments, on several threads if there are enough files.
fn read(
    root: &Path,
    files: Vec<Found>,
    began: SystemTime,
    report_progress: ProgressFn<'_>,
) -> Vec<Segment> {
    let (all, done) = (files.len(), AtomicUsize::new(0));
    let threads = threads().min(files.len().div_ceil(MIN_FILES_PER_THREAD));
    let files = Mutex::new(files.into_iter());
    let segments = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut builder = Builder::default();
                while let Some((path, stamp)) = next(&files) {
                    builder.add(root, path, stamp.settled_before(began));
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(PROGRESS_INTERVAL) {
                        report_progress(done, all);
                    }
                    if builder.is_full() {
                        lock(&segments).push(std::mem::take(&mut builder).seal());
                    }
                }
                if !builder.is_empty() {
                    let segment = builder.seal();
                    lock(&segments).push(segment);
                }
            });
        }
    });
    segments
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

fn next(files: &Mutex<vec::IntoIter<Found>>) -> Option<Found> {
    lock(files).next()
}

fn threads() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::text;

    /// The files that contain `word`, by the index.
    fn files_with(tree: &Tree, word: &str) -> BTreeSet<String> {
        let index = tree.current();
        index
            .candidates(&text::distinct_words(word))
            .into_iter()
            .map(|(entry, _)| entry.path.display().to_string().replace('\\', "/"))
            .collect()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_next_query_finds_changes() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        fs::write(file("a"), "apple").unwrap();
        fs::write(file("b"), "berry").unwrap();
        let tree = Tree::read(directory.path()).unwrap();
        assert_eq!(files_with(&tree, "apple"), names(&["a"]));

        fs::write(file("b"), "apple").unwrap();
        assert_eq!(
            files_with(&tree, "apple"),
            names(&["a", "b"]),
            "rewritten with the same length"
        );
        assert_eq!(files_with(&tree, "berry"), names(&[]));

        fs::create_dir(file("new")).unwrap();
        fs::write(file("new/c"), "apple").unwrap();
        assert_eq!(
            files_with(&tree, "apple"),
            names(&["a", "b", "new/c"]),
            "a new directory"
        );

        fs::write(file("new/d"), "apple").unwrap();
        fs::remove_file(file("a")).unwrap();
        assert_eq!(
            files_with(&tree, "apple"),
            names(&["b", "new/c", "new/d"]),
            "one file removed, another added"
        );

        fs::rename(file("new"), file("old")).unwrap();
        assert_eq!(
            files_with(&tree, "apple"),
            names(&["b", "old/c", "old/d"]),
            "a directory renamed"
        );

        fs::write(file(".ignore"), "old\n").unwrap();
        assert_eq!(
            files_with(&tree, "apple"),
            names(&["b"]),
            "a directory ignored"
        );
    }

    #[test]
    fn many_small_changes_yield_few_parts_and_lose_no_line() {
        let directory = tempfile::tempdir().unwrap();
        for n in 0..300 {
            fs::write(
                directory.path().join(format!("{n:03}")),
                format!("word number{n}\n"),
            )
            .unwrap();
        }
        let tree = Tree::read(directory.path()).unwrap();
        for n in 0..100 {
            fs::write(
                directory.path().join(format!("{:03}", n * 3)),
                format!("word changed{n}\n"),
            )
            .unwrap();
            assert_eq!(files_with(&tree, "word").len(), 300);
            assert_eq!(files_with(&tree, &format!("changed{n}")).len(), 1);
            assert_eq!(files_with(&tree, &format!("number{}", n * 3)).len(), 0);
        }
        let parts = tree.latest().parts.len();
        assert!(parts <= 16, "{parts} parts");
        assert_eq!(tree.latest().size().files, 300);
    }

    #[test]
    fn an_index_in_several_segments_is_sorted_by_path() {
        let directory = tempfile::tempdir().unwrap();
        for n in 0..2_000 {
            fs::write(directory.path().join(format!("{n:04}")), "same").unwrap();
        }
        let tree = Tree::read(directory.path()).unwrap();
        let index = tree.current();
        let candidates = index.candidates(&text::distinct_words("same"));
        assert_eq!(candidates.len(), 2_000);
        assert!(candidates.is_sorted_by_key(|(entry, _)| &entry.path));
    }

    #[test]
    fn a_directory_that_cannot_be_read_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let error = format!("{:#}", Tree::read(&missing).unwrap_err());
        assert!(error.contains(missing.to_str().unwrap()), "{error}");
    }
}
