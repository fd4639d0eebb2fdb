//! A part of the index: some files, all their words, and for each word the lines that contain it. A segment is immutable.

use std::{
    fs::File,
    hash::BuildHasher,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{
    file_stamp::Stamp,
    postings::{Growing, Lists, Pool},
    text,
};

/// Larger files are not read.
pub(crate) const MAX_FILE_SIZE: u64 = 64 << 20;

/// The dictionary stores at most this many bytes of a word. The query compares the lines that it finds with the whole word.
const MAX_KEY_LENGTH: usize = 48;

/// A segment is full when its lists or its number of lines exceed these limits.
const MAX_POOL_SIZE: usize = 1 << 30;
const MAX_LINES: u32 = 1 << 31;

/// A file in the index.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The path relative to the tree's root.
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
    pub(crate) content: Content,
    /// The number of its first line within the segment.
    first_line: u32,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Text,
    Skipped(Skipped),
}

/// Why a file's words are not in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// It contains a NUL byte.
    Binary,
    /// It has more than [`MAX_FILE_SIZE`] bytes.
    Large,
    /// It could not be read, for this reason.
    Unreadable(String),
}

/// Files, their words, and the lines of each word.
#[derive(Debug)]
pub(crate) struct Segment {
    entries: Vec<Entry>,
    lines: u32,
    keys: Keys,
    lists: Lists,
}

impl Segment {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The approximate memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        let paths: usize = self
            .entries
            .iter()
            .map(|entry| entry.path.as_os_str().len())
            .sum();
        self.lists.memory()
            + self.keys.memory()
            + self.entries.capacity() * size_of::<Entry>()
            + paths
    }

    /// The lines that contain all `words`, grouped by file: the entry's index, and the line numbers within the file, from 1.
    /// Of long words, only the part in the dictionary is compared.
    pub(crate) fn lines_with_all(&self, words: &[Vec<u8>]) -> Vec<(usize, Vec<u32>)> {
        let Some(mut lists) = words
            .iter()
            .map(|word| self.keys.find(key(word)))
            .collect::<Option<Vec<u32>>>()
        else {
            return Vec::new();
        };
        lists.sort_unstable_by_key(|&list| self.lists.size(list));
        let Some((&shortest, longer)) = lists.split_first() else {
            return Vec::new();
        };
        let mut lines: Vec<u32> = self.lists.lines(shortest).collect();
        for &list in longer {
            if lines.is_empty() {
                break;
            }
            let mut other = self.lists.lines(list).peekable();
            lines.retain(|&line| {
                while other.next_if(|&candidate| candidate < line).is_some() {}
                other.peek() == Some(&line)
            });
        }
        self.by_file(&lines)
    }

    fn by_file(&self, mut lines: &[u32]) -> Vec<(usize, Vec<u32>)> {
        let mut files = Vec::new();
        while let Some(&first) = lines.first() {
            let index = self
                .entries
                .partition_point(|entry| entry.first_line <= first)
                - 1;
            let range = self.lines_of(index);
            let (here, rest) = lines.split_at(lines.partition_point(|&line| line < range.end));
            files.push((
                index,
                here.iter().map(|line| line - range.start + 1).collect(),
            ));
            lines = rest;
        }
        files
    }

    fn lines_of(&self, index: usize) -> Range<u32> {
        self.entries[index].first_line
            ..self
                .entries
                .get(index + 1)
                .map_or(self.lines, |next| next.first_line)
    }
}

fn key(word: &[u8]) -> &[u8] {
    &word[..word.len().min(MAX_KEY_LENGTH)]
}

/// Builds a segment.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    entries: Vec<Entry>,
    lines: u32,
    keys: Keys,
    pool: Pool,
    growing: Vec<Growing>,
    buffer: Vec<u8>,
}

impl Builder {
    /// Reads the file at `path` below `root`, and adds its words.
    pub(crate) fn add(&mut self, root: &Path, path: PathBuf, stamp: Stamp) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let content = match read_text(&root.join(&path), stamp, &mut buffer) {
            Ok(content) => content,
            Err(error) => Content::Skipped(Skipped::Unreadable(error.to_string())),
        };
        let first_line = self.lines;
        if content == Content::Text {
            self.add_words(&buffer);
        }
        self.entries.push(Entry {
            path,
            stamp,
            content,
            first_line,
        });
        buffer.clear();
        buffer.shrink_to(1 << 20);
        self.buffer = buffer;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pool.len() > MAX_POOL_SIZE || self.lines > MAX_LINES
    }

    pub(crate) fn seal(mut self) -> Segment {
        self.entries.shrink_to_fit();
        self.keys.shrink_to_fit();
        let lists = Lists::seal(&self.pool, self.growing.iter());
        Segment {
            entries: self.entries,
            lines: self.lines,
            keys: self.keys,
            lists,
        }
    }

    fn add_words(&mut self, content: &[u8]) {
        for (_, line) in text::lines(content) {
            let number = self.lines;
            text::each_word(line, |_, word| match self.keys.find_or_add(key(word)) {
                Lookup::Existing(index) => {
                    self.pool.push(&mut self.growing[index as usize], number);
                }
                Lookup::Added => self.growing.push(self.pool.start(number)),
            });
            self.lines += 1;
        }
    }
}

/// Reads a whole file, if it is text and not too large.
pub(crate) fn read_text(path: &Path, stamp: Stamp, content: &mut Vec<u8>) -> io::Result<Content> {
    content.clear();
    // Files of size 0 are not opened: reading some files of /proc and similar file systems blocks.
    if stamp.len == 0 {
        return Ok(Content::Text);
    }
    if stamp.len > MAX_FILE_SIZE {
        return Ok(Content::Skipped(Skipped::Large));
    }
    File::open(path)?
        .take(MAX_FILE_SIZE + 1)
        .read_to_end(content)?;
    Ok(if memchr::memchr(0, content).is_some() {
        Content::Skipped(Skipped::Binary)
    } else if content.len() as u64 > MAX_FILE_SIZE {
        Content::Skipped(Skipped::Large)
    } else {
        Content::Text
    })
}

/// The dictionary: words, numbered in the order of their first occurrence.
#[derive(Debug, Default)]
struct Keys {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    bytes: Vec<u8>,
    /// The end of each word in `bytes`.
    ends: Vec<u32>,
}

/// The result of a lookup that adds missing words.
enum Lookup {
    Existing(u32),
    Added,
}

impl Keys {
    fn find(&self, key: &[u8]) -> Option<u32> {
        self.table
            .find(self.hasher.hash_one(key), |&index| {
                word_at(&self.bytes, &self.ends, index) == key
            })
            .copied()
    }

    fn find_or_add(&mut self, key: &[u8]) -> Lookup {
        let Self {
            hasher,
            table,
            bytes,
            ends,
        } = self;
        let hash = hasher.hash_one(key);
        if let Some(&index) = table.find(hash, |&index| word_at(bytes, ends, index) == key) {
            return Lookup::Existing(index);
        }
        let index =
            u32::try_from(ends.len()).expect("the pool is full before there are 2^32 words");
        bytes.extend_from_slice(key);
        ends.push(
            u32::try_from(bytes.len()).expect("the pool is full before the words have 4 GiB"),
        );
        table.insert_unique(hash, index, |&index| {
            hasher.hash_one(word_at(bytes, ends, index))
        });
        Lookup::Added
    }

    fn shrink_to_fit(&mut self) {
        let Self {
            hasher,
            table,
            bytes,
            ends,
        } = self;
        bytes.shrink_to_fit();
        ends.shrink_to_fit();
        table.shrink_to_fit(|&index| hasher.hash_one(word_at(bytes, ends, index)));
    }

    fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<u32>()
            + self.table.allocation_size()
    }
}

fn word_at<'a>(bytes: &'a [u8], ends: &[u32], index: u32) -> &'a [u8] {
    let index = index as usize;
    let start = if index == 0 { 0 } else { ends[index - 1] };
    &bytes[start as usize..ends[index] as usize]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn segment(files: &[(&str, &[u8])]) -> Segment {
        let root = tempfile::tempdir().unwrap();
        let mut builder = Builder::default();
        for (name, content) in files {
            fs::write(root.path().join(name), content).unwrap();
            let stamp = Stamp::of(&fs::metadata(root.path().join(name)).unwrap());
            builder.add(root.path(), name.into(), stamp);
        }
        builder.seal()
    }

    fn find(segment: &Segment, words: &str) -> Vec<(usize, Vec<u32>)> {
        segment.lines_with_all(&text::distinct_words(words))
    }

    #[test]
    fn the_lines_with_all_words_are_found() {
        let segment = segment(&[
            ("a", b"red green\nred\ngreen\nGreen, red!\n"),
            ("empty", b""),
            ("b", b"\n\nblue red\nno end green red"),
        ]);
        assert_eq!(find(&segment, "red green"), [(0, vec![1, 4]), (2, vec![4])]);
        assert_eq!(find(&segment, "RED"), [(0, vec![1, 2, 4]), (2, vec![3, 4])]);
        assert_eq!(find(&segment, "red blue green"), []);
        assert_eq!(find(&segment, "re"), []);
    }

    #[test]
    fn an_empty_file_has_no_line_numbers() {
        let segment = segment(&[
            ("e1", b""),
            ("a", b"x"),
            ("e2", b""),
            ("e3", b""),
            ("b", b"x\nx"),
            ("e4", b""),
        ]);
        assert_eq!(find(&segment, "x"), [(1, vec![1]), (4, vec![1, 2])]);
    }

    #[test]
    fn a_nul_byte_anywhere_makes_a_file_binary() {
        let segment = segment(&[("late", b"word word\nword\0"), ("text", b"word")]);
        assert_eq!(
            segment.entries()[0].content,
            Content::Skipped(Skipped::Binary)
        );
        assert_eq!(find(&segment, "word"), [(1, vec![1])]);
    }

    #[test]
    fn words_of_any_length_are_found() {
        let long = "x".repeat(100_000);
        let segment = segment(&[("long", long.as_bytes())]);
        assert_eq!(find(&segment, &long), [(0, vec![1])]);
        assert!(segment.memory() < 4096);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_unreadable_with_a_reason() {
        let root = tempfile::tempdir().unwrap();
        let stamp = Stamp { len: 1, changed: 0 };
        let mut builder = Builder::default();
        builder.add(root.path(), "missing".into(), stamp);
        assert!(
            matches!(&builder.seal().entries()[0].content, Content::Skipped(Skipped::Unreadable(why)) if !why.is_empty())
        );
    }
}
