//! Whatever the attribute is given, it does not panic, and what it makes of Rust is Rust.
//!
//! An input is the attribute's arguments, a line break, and the item.

#![no_main]
#![allow(dead_code)]

#[path = "../../brokered-macros/src/arguments.rs"]
mod arguments;
#[path = "../../brokered-macros/src/attribute.rs"]
mod attribute;
#[path = "../../brokered-macros/src/catalogue.rs"]
mod catalogue;
#[path = "../../brokered-macros/src/check.rs"]
mod check;
#[path = "../../brokered-macros/src/expand.rs"]
mod expand;
#[path = "../../brokered-macros/src/main_fn.rs"]
mod main_fn;

use arguments::Argument;
use libfuzzer_sys::{Corpus, fuzz_target};
use proc_macro2::TokenStream;

fuzz_target!(|text: &str| -> Corpus {
    let Some((arguments, item)) = text.split_once('\n') else {
        return Corpus::Reject;
    };
    // Brackets that don't match never get to an attribute.
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
        if let Err(error) = syn::parse2::<syn::File>(printed) {
            panic!("{arguments}\n{item}\nbecomes no Rust: {error}\n{text}");
        }
    }
    Corpus::Keep
});

/// Whether each argument is an expression, or a name and an expression, as an attribute's would be.
fn are_expressions(tokens: &TokenStream) -> bool {
    arguments::parse(tokens.clone())
        .into_iter()
        .all(|argument| match argument {
            Argument::Named { value, .. } => {
                value.is_empty() || syn::parse2::<syn::Expr>(value).is_ok()
            }
            Argument::Bare(tokens) => syn::parse2::<syn::Expr>(tokens).is_ok(),
        })
}

/// Whether an attribute could stand on this: the compiler parses an item before it asks a macro.
fn is_item(tokens: &TokenStream) -> bool {
    syn::parse2::<syn::Item>(tokens.clone()).is_ok()
}
