//! What the attribute does, from tokens to tokens: parse, check, expand.
//!
//! The fuzz target and the benchmark include these modules by their paths, because a proc-macro crate exports no functions.

use proc_macro2::TokenStream;

use crate::parse::arguments;
use crate::parse::item::{self, Item};
use crate::{check, expand};

pub(crate) fn expanded(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let main = match item::parse(item.clone()) {
        Item::Function(main) => main,
        Item::Other(other) => return expand::other_item(&check::not_a_function(&other), item),
    };
    let mut mistakes = Vec::new();
    let options = check::arguments(arguments::parse(arguments.clone()), &mut mistakes);
    check::function(&main, arguments, &mut mistakes);
    match options {
        Some(options) if mistakes.is_empty() => expand::daemon(options, &main),
        _ => expand::broken_main(&mistakes, &main),
    }
}
