//! Text for a terminal: wrapped, and without what a terminal would interpret.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// The lines of a text, wrapped between words.
///
/// A word that is longer than a line stays whole: the terminal wraps it, and it can still be copied.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = textwrap::wrap(text, options);
    lines.into_iter().map(String::from).collect()
}

/// A text in which each character that a terminal would interpret is replaced.
///
/// What a daemon reports, and what a path contains, can be anything.
pub(crate) fn sanitize(text: &str) -> String {
    let is_interpreted = |c: char| {
        // The format characters change the direction of the text that follows.
        c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if is_interpreted(c) { '\u{fffd}' } else { c })
        .collect()
}
