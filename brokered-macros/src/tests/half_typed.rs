//! Half-typed code expands as well, because an editor expands the attribute at every key press. The expansion contains what was
//! typed last. Without it, completion does not work: <https://github.com/rust-lang/rust-analyzer/issues/10468>.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};

use super::uses;
use crate::attribute::expanded;

/// Marks the position of the cursor.
const CARET: &str = "caret";

/// Every beginning of `tokens`, at any depth, with a caret at its end and all brackets closed.
fn beginnings(tokens: &TokenStream) -> Vec<TokenStream> {
    let all: Vec<_> = tokens.clone().into_iter().collect();
    let mut beginnings = Vec::new();
    for (index, token) in all.iter().enumerate() {
        let before = || all[..index].iter().cloned();
        let caret = Ident::new(CARET, Span::call_site()).into();
        beginnings.push(before().chain([caret]).collect());
        if let TokenTree::Group(group) = token {
            for inside in self::beginnings(&group.stream()) {
                let mut cut = Group::new(group.delimiter(), inside);
                cut.set_span(group.span());
                beginnings.push(before().chain([cut.into()]).collect());
            }
        }
    }
    beginnings
}

/// All of `tokens` but one, for each of them.
fn with_one_missing(tokens: &TokenStream) -> Vec<TokenStream> {
    let all: Vec<_> = tokens.clone().into_iter().collect();
    (0..all.len())
        .map(|missing| {
            let mut rest = all.clone();
            rest.remove(missing);
            rest.into_iter().collect()
        })
        .collect()
}

#[test]
fn the_expansion_of_a_half_typed_item_contains_the_cursor() {
    for case in uses() {
        for half in beginnings(&case.item) {
            let expansion = expanded(&case.arguments, &half).to_string();
            // The expansion omits receivers and `...`, which the compiler would refuse.
            let text = half.to_string();
            let is_kept =
                expansion.contains(CARET) || text.contains("self") || text.contains(": .");
            assert!(is_kept, "{}: {half}\nbecomes\n{expansion}", case.file);
        }
        for half in with_one_missing(&case.item) {
            assert!(
                !expanded(&case.arguments, &half).is_empty(),
                "{}: {half}",
                case.file
            );
        }
    }
}

#[test]
fn half_typed_arguments_do_not_affect_the_item() {
    for case in uses() {
        let halves = beginnings(&case.arguments);
        for half in halves.iter().chain(&with_one_missing(&case.arguments)) {
            let expansion = expanded(half, &case.item).to_string();
            let main = case.item.to_string();
            if main.contains("fn main") && !main.contains("self") && !main.contains("async") {
                assert!(
                    expansion.contains("fn __brokered_main"),
                    "{}: {half}\nbecomes\n{expansion}",
                    case.file
                );
            }
            assert!(!expansion.is_empty(), "{}: {half}", case.file);
        }
    }
}
