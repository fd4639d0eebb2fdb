//! The positions of the tokens in an expansion.
//!
//! If generated code is located at the end of the body, editors take the user's last token for a part of it:
//! <https://github.com/tokio-rs/tokio/issues/5518>, <https://github.com/tokio-rs/tokio/pull/5619>.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::uses;
use crate::attribute::expanded;

/// Each token within `range` of the source, at any depth, as text.
fn within(tokens: TokenStream, range: &Range<usize>, found: &mut Vec<String>) {
    for token in tokens {
        let position = token.span().byte_range();
        let is_within = range.start <= position.start && position.end <= range.end;
        match token {
            TokenTree::Group(group) => {
                if is_within {
                    found.push(format!("{:?}", group.delimiter()));
                }
                within(group.stream(), range, found);
            }
            token if is_within => found.push(token.to_string()),
            _ => {}
        }
    }
}

#[test]
fn no_generated_code_is_located_in_the_body() {
    let mut count = 0;
    for case in uses() {
        let Some(TokenTree::Group(body)) = case.item.clone().into_iter().last() else {
            continue;
        };
        if body.delimiter() != Delimiter::Brace {
            continue;
        }
        let range = body.span().byte_range();
        let mut typed = Vec::new();
        within(case.item.clone(), &range, &mut typed);
        let mut made = Vec::new();
        within(expanded(&case.arguments, &case.item), &range, &mut made);
        // The expansion omits a body that uses `self`. The error of an inner attribute is located in the body, and comes first.
        let errors = made.len().saturating_sub(typed.len());
        assert!(
            made[errors..] == typed
                && (errors == 0 || made[..errors].contains(&"compile_error".into()))
                || made.is_empty(),
            "{}: {made:?} instead of {typed:?}",
            case.file
        );
        count += usize::from(!made.is_empty());
    }
    assert!(count > 100, "{count} bodies");
}
