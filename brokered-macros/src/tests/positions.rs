//! Where the tokens of an expansion say that they come from.
//!
//! An attribute that put its own code where the body ends had editors take the user's last word for a call of the
//! attribute's: <https://github.com/tokio-rs/tokio/issues/5518>, <https://github.com/tokio-rs/tokio/pull/5619>.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::uses;
use crate::attribute::expanded;

/// Each token within `range` of the source, as text, however deep.
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
fn nothing_but_the_body_is_where_the_body_is() {
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
        // A body that speaks of `self` is left out where there is none. What is wrong with an attribute at the body's
        // beginning is said there, before anything else.
        let said = made.len().saturating_sub(typed.len());
        assert!(
            made[said..] == typed && (said == 0 || made[..said].contains(&"compile_error".into()))
                || made.is_empty(),
            "{}: {made:?} instead of {typed:?}",
            case.file
        );
        count += usize::from(!made.is_empty());
    }
    assert!(count > 100, "{count} bodies");
}
