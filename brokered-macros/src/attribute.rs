//! What the attribute does, from tokens to tokens: parse → check → expand. Whoever includes these modules by their paths
//! (a proc-macro crate exports no functions) calls this.

use proc_macro2::{Span, TokenStream};

use crate::main_fn::{self, Item};
use crate::{arguments, check, expand};

pub(crate) fn expanded(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Vec::new();
    let main = match main_fn::parse(item.clone()) {
        Item::Function(main) => main,
        Item::Other { what, at } => return no_function(what, at.span(), item),
        Item::Nothing => return no_function("nothing", Span::call_site(), item),
    };
    let options = check::arguments(arguments::parse(arguments.clone()), &mut mistakes);
    check::function(&main, arguments, &mut mistakes);
    match options {
        Some(options) if mistakes.is_empty() => expand::daemon(options, &main),
        _ => expand::broken_main(&mistakes, &main),
    }
}

/// The error, and what was there as it is.
fn no_function(what: &str, at: Span, item: &TokenStream) -> TokenStream {
    let mut tokens = expand::errors(&[check::no_function(what, at)]);
    tokens.extend(item.clone());
    tokens
}
