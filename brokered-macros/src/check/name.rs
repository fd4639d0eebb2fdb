//! The rules for a daemon's name.

use proc_macro2::Literal;

use super::EXAMPLE;

/// What is between the quotes of a string literal. Escapes stay as they are: no name contains a backslash, so it does not matter
/// what they stand for. `None` for all other literals.
pub(super) fn text_of(literal: &Literal) -> Option<String> {
    let text = literal.to_string();
    let quoted = text
        .strip_prefix('r')
        .map_or(text.as_str(), |raw| raw.trim_matches('#'));
    Some(quoted.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// Why a text is not a valid name. `Daemon::new` checks all names, also those that are not a literal in the attribute.
pub(super) fn why_invalid(name: &str) -> Option<String> {
    let is_valid = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    let length = name.chars().count();
    if name.is_empty() {
        Some("it is empty".to_owned())
    } else if let Some(c) = name.chars().find(|c| !is_valid(*c)) {
        Some(match c {
            'A'..='Z' => format!("`{c}` is upper case"),
            ' ' => "it contains a space".to_owned(),
            c => format!("it contains `{}`", printable(c)),
        })
    } else if name.starts_with('-') {
        Some("it begins with `-`".to_owned())
    } else if name.ends_with('-') {
        Some("it ends with `-`".to_owned())
    } else if length > 64 {
        Some(format!("it has {length} characters"))
    } else {
        None
    }
}

/// A character as the user sees it in the source.
pub(super) fn printable(c: char) -> String {
    match c {
        '\\' | '"' | '\'' => c.to_string(),
        c => c.escape_debug().to_string(),
    }
}

/// A valid name that is like this one.
pub(super) fn nearest_valid(name: &str) -> String {
    let mut valid = String::new();
    let mut chars = name.chars().map(|c| c.to_ascii_lowercase());
    while let Some(c) = chars.next() {
        match c {
            // The character after a backslash is part of the escape.
            '\\' => _ = chars.next(),
            'a'..='z' | '0'..='9' => valid.push(c),
            // One `-` stands for all characters between two words.
            _ if !valid.is_empty() && !valid.ends_with('-') => valid.push('-'),
            _ => {}
        }
    }
    let valid = valid.trim_end_matches('-');
    if why_invalid(valid).is_some() {
        EXAMPLE.to_owned()
    } else {
        valid.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_name_is_replaced_with_a_valid_one() {
        for (name, wanted) in [
            ("Index Daemon", "index-daemon"),
            ("-a-", "a"),
            ("ä", EXAMPLE),
            ("", EXAMPLE),
            ("a..b", "a-b"),
            ("a\\n", "a"),
            ("a\\u{b}", "a-b"),
        ] {
            assert_eq!(nearest_valid(name), wanted);
            assert_eq!(why_invalid(wanted), None);
        }
        assert_eq!(nearest_valid(&"x".repeat(65)), EXAMPLE);
        assert!(why_invalid(&"x".repeat(65)).is_some());
        assert!(why_invalid(&"x".repeat(64)).is_none());
    }
}
