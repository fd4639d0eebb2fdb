//! Attributes that put statements where an item was.

use proc_macro::TokenStream;

/// Puts a call of `others::look` before the function.
#[proc_macro_attribute]
pub fn look_first(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: TokenStream = "others::look();".parse().expect("a statement");
    tokens.extend(item);
    tokens
}

/// Makes a `main` of its own, and forgets the one that it was given.
#[proc_macro_attribute]
pub fn main_of_its_own(_: TokenStream, _: TokenStream) -> TokenStream {
    "fn main() { others::look(); }".parse().expect("an item")
}
