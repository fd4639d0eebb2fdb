//! The search: from words to the lines that contain them.

use std::{fs, io, path::Path};

use crate::{
    file_stamp::Stamp,
    segment::{self, Content},
    text,
    tree::Index,
};

/// The maximum number of words in a request.
pub(crate) const MAX_WORDS: usize = u64::BITS as usize;

/// Finds the lines of files below `root` that contain all `words`, sorted by path and number. The words are those of
/// [`text::distinct_words`], at most [`MAX_WORDS`].
///
/// The index only provides candidates. Each line is read from its file and compared again. A file that has changed since it
/// was indexed is searched completely.
pub(crate) fn search<'index>(
    root: &Path,
    index: &'index Index,
    words: &[Vec<u8>],
    mut found: impl FnMut(&'index Path, Line<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut content = Vec::new();
    for (entry, lines) in index.candidates(words) {
        let path = root.join(&entry.path);
        // A file that was removed or cannot be read any more has no matches.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        let stamp = Stamp::of(&metadata);
        let Ok(Content::Text) = segment::read_text(&path, stamp, &mut content) else {
            continue;
        };
        let expected = (stamp == entry.stamp).then_some(lines);
        for (number, text) in candidates(&content, expected) {
            if let Some(first) = first_match(text, words) {
                let line = Line {
                    number,
                    text,
                    first,
                };
                found(&entry.path, line)?;
            }
        }
    }
    Ok(())
}

/// A line that contains all words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) number: u32,
    pub(crate) text: &'a [u8],
    /// The offset of the first word in the text.
    pub(crate) first: usize,
}

/// The lines to compare: those that are expected to match, or all.
fn candidates(content: &[u8], expected: Option<Vec<u32>>) -> impl Iterator<Item = (u32, &[u8])> {
    let last = expected
        .as_ref()
        .map_or(u32::MAX, |lines| lines.last().copied().unwrap_or(0));
    let mut expected = expected.map(|lines| lines.into_iter().peekable());
    text::lines(content)
        .take_while(move |&(number, _)| number <= last)
        .filter(move |&(number, _)| match &mut expected {
            Some(lines) => lines.next_if_eq(&number).is_some(),
            None => true,
        })
}

/// The offset of the first of `words`, if `line` contains all of them.
fn first_match(line: &[u8], words: &[Vec<u8>]) -> Option<usize> {
    let mut first = None;
    let mut missing = u64::MAX.checked_shr(u64::BITS - u32::try_from(words.len()).ok()?)?;
    text::each_word(line, |at, word| {
        if let Some(index) = words.iter().position(|wanted| wanted == word) {
            missing &= !(1 << index);
            first.get_or_insert(at);
        }
    });
    if missing == 0 { first } else { None }
}

/// A short part of a line around `first`, and whether text is missing before it and after it.
pub(crate) fn excerpt(text: &[u8], first: usize) -> (&[u8], bool, bool) {
    /// The length of the part.
    const MAX_LENGTH: usize = 300;
    /// The length before the word.
    const BEFORE: usize = 60;
    if text.len() <= MAX_LENGTH {
        return (text, false, false);
    }
    let start = character_boundary(
        text,
        first.saturating_sub(BEFORE).min(text.len() - MAX_LENGTH),
    );
    let end = character_boundary(text, start + MAX_LENGTH);
    (&text[start..end], start > 0, end < text.len())
}

/// The last character boundary up to `at`.
fn character_boundary(text: &[u8], at: usize) -> usize {
    // A UTF-8 character has at most three continuation bytes.
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|&at| text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn found(root: &Path, index: &Index, words: &str) -> Vec<String> {
        let mut all = Vec::new();
        search(root, index, &text::distinct_words(words), |path, line| {
            all.push(format!(
                "{}:{}: {} @{}",
                path.display(),
                line.number,
                String::from_utf8_lossy(line.text),
                line.first
            ));
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn lines_are_sorted_and_their_text_is_unchanged() {
        let root = tempfile::tempdir().unwrap();
        fs::write(
            root.path().join("b"),
            "The Cat\r\nthe dog\nthe dog and the CAT",
        )
        .unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/x"), b"\xffcat, the\n").unwrap();
        let tree = Tree::read(root.path()).unwrap();
        let index = tree.current();
        let below = Path::new("a").join("x");
        assert_eq!(
            found(root.path(), &index, "cat the"),
            [
                &*format!("{}:1: \u{fffd}cat, the @1", below.display()),
                "b:1: The Cat @0",
                "b:3: the dog and the CAT @0"
            ]
        );
        assert_eq!(
            found(root.path(), &index, "dog cat"),
            ["b:3: the dog and the CAT @4"]
        );
        assert_eq!(found(root.path(), &index, "do"), [""; 0]);
    }

    #[test]
    fn outdated_lines_of_changed_files_are_not_found() {
        let root = tempfile::tempdir().unwrap();
        for name in ["moved-down", "no-more", "gone", "binary"] {
            fs::write(root.path().join(name), "red\n").unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        let index = tree.current();
        fs::write(root.path().join("moved-down"), "\n\nred\n").unwrap();
        fs::write(root.path().join("no-more"), "rot\n").unwrap();
        fs::remove_file(root.path().join("gone")).unwrap();
        fs::write(root.path().join("binary"), "red\0").unwrap();
        assert_eq!(found(root.path(), &index, "red"), ["moved-down:3: red @0"]);
    }

    #[test]
    fn words_with_a_long_common_prefix_are_distinguished() {
        let root = tempfile::tempdir().unwrap();
        let long = "x".repeat(1_000);
        fs::write(root.path().join("a"), format!("{long}1\n{long}2\n")).unwrap();
        let tree = Tree::read(root.path()).unwrap();
        assert_eq!(
            found(root.path(), &tree.current(), &format!("{long}2")).len(),
            1
        );
        assert_eq!(found(root.path(), &tree.current(), &long).len(), 0);
    }

    #[test]
    fn sixty_four_words_are_accepted() {
        let line = (0..64)
            .map(|n| format!("w{n}"))
            .collect::<Vec<_>>()
            .join(" ");
        let words = text::distinct_words(&line);
        assert_eq!(words.len(), MAX_WORDS);
        assert_eq!(first_match(line.as_bytes(), &words), Some(0));
        assert_eq!(
            first_match(line.replace("w63", "w64").as_bytes(), &words),
            None
        );
    }

    #[test]
    fn an_excerpt_contains_the_word_and_whole_characters() {
        let short = "short word".as_bytes();
        assert_eq!(excerpt(short, 6), (short, false, false));
        for first in [0, 10, 399, 1_000, 4_000 - 8] {
            let mut long = "ä".repeat(2_000);
            let first = first - first % 2;
            long.replace_range(first..first + 4, "word");
            let (text, before, after) = excerpt(long.as_bytes(), first);
            let text = std::str::from_utf8(text).unwrap();
            assert!(
                text.contains("word") && text.len() <= 303,
                "{first}: {text}"
            );
            assert_eq!(
                (before, after),
                (!long.starts_with(text), !long.ends_with(text)),
                "{first}"
            );
        }
        let (text, ..) = excerpt(&[0x80; 1_000], 500);
        assert_eq!(text.len(), 300);
    }
}
