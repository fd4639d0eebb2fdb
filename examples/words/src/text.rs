//! The definitions of words and lines.
//!
//! A word is a sequence of letters, digits and `_`, in any script of Unicode. Case is ignored. All other characters, and bytes
//! that are not UTF-8, separate words. The same function splits files and command lines, so `std::io` means `std` and `io`.

/// Calls `found` with each word of `text`: its offset, and the word in lower case.
pub(crate) fn each_word(text: &[u8], mut found: impl FnMut(usize, &[u8])) {
    let mut folded = Vec::new();
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        words_of_valid(chunk.valid(), &mut folded, |start, word| {
            found(at + start, word);
        });
        at += chunk.valid().len() + chunk.invalid().len();
    }
}

/// The words of a command-line argument or a request, in lower case and without duplicates.
pub(crate) fn distinct_words(text: &str) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    each_word(text.as_bytes(), |_, word| {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_vec());
        }
    });
    words
}

/// The lines of `text`, numbered from 1, without their line ends (`\n` or `\r\n`).
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = text;
    (1..).map_while(move |number| {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some((number, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}

/// The class of a byte in the search for words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Separator,
    /// Part of a word that is already in lower case.
    Word,
    /// `A` to `Z`.
    Upper,
    /// Part of a character beyond ASCII.
    Wide,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Separator; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "below 256, and TryFrom is not const"
        )]
        let ascii = byte as u8;
        classes[byte] = match ascii {
            b'A'..=b'Z' => Class::Upper,
            b'a'..=b'z' | b'0'..=b'9' | b'_' => Class::Word,
            0x80.. => Class::Wide,
            _ => Class::Separator,
        };
        byte += 1;
    }
    classes
};

fn words_of_valid(text: &str, folded: &mut Vec<u8>, mut found: impl FnMut(usize, &[u8])) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let mut upper = false;
        let class = loop {
            let class = bytes
                .get(at)
                .map_or(Class::Separator, |&byte| CLASSES[usize::from(byte)]);
            match class {
                Class::Word => at += 1,
                Class::Upper => {
                    upper = true;
                    at += 1;
                }
                Class::Separator | Class::Wide => break class,
            }
        };
        if class == Class::Wide {
            // Such characters are rare in most texts, so decoding them one by one is fast enough.
            let length = text[start..]
                .find(|c: char| !is_word_char(c))
                .unwrap_or(text.len() - start);
            at = start + length;
            if length > 0 {
                folded.clear();
                let mut utf8 = [0; 4];
                for c in text[start..at].chars().flat_map(char::to_lowercase) {
                    folded.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                }
                found(start, folded);
            }
            // The separator may be beyond ASCII, too.
            at += text[at..].chars().next().map_or(0, char::len_utf8);
            continue;
        }
        if at > start {
            if upper {
                folded.clear();
                folded.extend(bytes[start..at].iter().map(u8::to_ascii_lowercase));
                found(start, folded);
            } else {
                found(start, &bytes[start..at]);
            }
        }
        at += 1;
    }
}

fn is_word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[u8]) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        each_word(text, |at, word| {
            words.push((at, String::from_utf8(word.to_vec()).unwrap()));
        });
        words
    }

    fn only_words(text: &[u8]) -> Vec<String> {
        words(text).into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn words_are_runs_of_letters_digits_and_underscores_in_lower_case() {
        assert_eq!(
            only_words(b"fn Main_2(x: &str) -> u8 {}\n"),
            ["fn", "main_2", "x", "str", "u8"]
        );
        assert_eq!(only_words(b""), [""; 0]);
        assert_eq!(only_words(b" \t\n--- \x00"), [""; 0]);
    }

    #[test]
    fn words_may_be_in_any_script() {
        assert_eq!(
            only_words("Ärger über ΣΊΣΥΦΟΣ—naïve".as_bytes()),
            ["ärger", "über", "σίσυφοσ", "naïve"]
        );
        assert_eq!(only_words("«quoted»…end".as_bytes()), ["quoted", "end"]);
    }

    #[test]
    fn the_offset_of_a_word_is_its_beginning() {
        let text = "…a Über\u{fffd}b C".as_bytes();
        for (at, word) in words(text) {
            let here = String::from_utf8_lossy(&text[at..]).to_lowercase();
            assert!(here.starts_with(&word), "{word} at {at}: {here}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_separate_words_and_keep_positions() {
        assert_eq!(
            words(b"M\xfcller \xff\xfeend"),
            [(0, "m".into()), (2, "ller".into()), (9, "end".into())]
        );
    }

    #[test]
    fn words_of_an_argument_have_no_duplicates() {
        assert_eq!(
            distinct_words("std::IO std"),
            [b"std".to_vec(), b"io".to_vec()]
        );
        assert!(distinct_words("::").is_empty());
    }

    #[test]
    fn lines_are_numbered_from_one_without_their_ends() {
        let text = b"one\r\n\nthree";
        assert_eq!(
            lines(text).collect::<Vec<_>>(),
            [(1, &b"one"[..]), (2, b""), (3, b"three")]
        );
        assert_eq!(lines(b"a\n").count(), 1);
        assert_eq!(lines(b"").count(), 0);
    }
}
