//! The attribute never panics, and what it makes of Rust is Rust.
//!
//! An input is the attribute's arguments, a line break, and the item.

#![no_main]
#![allow(dead_code)]

#[path = "../../src/attribute.rs"]
mod attribute;
#[path = "../../src/catalogue.rs"]
mod catalogue;
#[path = "../../src/check/mod.rs"]
mod check;
#[path = "../../src/expand.rs"]
mod expand;
#[path = "../../src/parse/mod.rs"]
mod parse;

use libfuzzer_sys::{Corpus, fuzz_target};
use parse::arguments::{self, Argument};
use proc_macro2::TokenStream;

fuzz_target!(|text: &str| -> Corpus {
    let Some((arguments, item)) = text.split_once('\n') else {
        return Corpus::Reject;
    };
    // The compiler calls no macro if brackets do not match.
    let (Ok(arguments), Ok(item)) = (arguments.parse(), item.parse()) else {
        return Corpus::Reject;
    };
    let expansion = attribute::expanded(&arguments, &item);
    assert!(
        !expansion.is_empty(),
        "{arguments}\n{item}\nbecomes nothing"
    );
    let text = expansion.to_string();
    let printed: TokenStream = text
        .parse()
        .unwrap_or_else(|error| panic!("{arguments}\n{item}\nbecomes no tokens: {error}\n{text}"));
    if are_expressions(&arguments) && is_item(&item) {
        if let Err(error) = full_syn::parse2::<full_syn::File>(printed) {
            panic!("{arguments}\n{item}\nbecomes no Rust: {error}\n{text}");
        }
    }
    Corpus::Keep
});

/// Whether each argument is an expression, or a name and an expression.
fn are_expressions(tokens: &TokenStream) -> bool {
    arguments::parse(tokens.clone())
        .into_iter()
        .all(|argument| match argument {
            Argument::Named { value, .. } => value.tokens.is_empty() || is_expression(value.tokens),
            Argument::Unnamed(expression) => is_expression(expression.tokens),
            Argument::Missing(_) => true,
        })
}

fn is_expression(tokens: TokenStream) -> bool {
    full_syn::parse2::<full_syn::Expr>(tokens).is_ok()
}

/// Whether the attribute could be on this. The compiler parses an item before it calls a macro.
fn is_item(tokens: &TokenStream) -> bool {
    full_syn::parse2::<full_syn::Item>(tokens.clone()).is_ok()
}
