//! Sequences of tokens that end at a token such as a comma, and the commas in them that do not count.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Result};
use syn::{Token, token};

/// Takes the tokens before the first one that is an `end`. Each `Unit` is taken as a whole, whatever is in it.
pub(crate) fn tokens_until<Unit: Parse>(
    input: ParseStream<'_>,
    end: fn(ParseStream<'_>) -> bool,
) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !is_at(input, end) {
        let ahead = input.fork();
        // An invisible group, which a `macro_rules!` fragment leaves behind, is one token tree.
        if !input.peek(token::Group) && ahead.parse::<Unit>().is_ok() {
            while input.cursor() < ahead.cursor() {
                tokens.extend([input.parse::<TokenTree>()?]);
            }
        } else {
            tokens.extend([input.parse::<TokenTree>()?]);
        }
    }
    Ok(tokens)
}

/// Whether the input is at an `end`, or has no more tokens.
pub(crate) fn is_at(input: ParseStream<'_>, end: fn(ParseStream<'_>) -> bool) -> bool {
    input.is_empty() || end(input)
}

pub(crate) fn comma(input: ParseStream<'_>) -> bool {
    input.peek(Token![,])
}

/// `<..>`, to the bracket that closes it.
pub(crate) struct AngleBrackets;

impl Parse for AngleBrackets {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.parse::<Token![<]>()?;
        while !input.peek(Token![>]) {
            if input.peek(Token![<]) {
                input.parse::<Self>()?;
            } else if input.peek(Token![->]) {
                input.parse::<Token![->]>()?;
            } else if input.peek(Token![=>]) {
                input.parse::<Token![=>]>()?;
            } else {
                input.parse::<TokenTree>()?;
            }
        }
        input.parse::<Token![>]>()?;
        Ok(Self)
    }
}

/// A path in an expression or in a pattern, such as `a::b::<C>` or `<A as B>::c`.
///
/// Unlike `syn::ExprPath`, it may have any block between its angle brackets.
pub(crate) struct ValuePath {
    /// The path, if it is one identifier.
    pub(crate) name: Option<Ident>,
}

impl Parse for ValuePath {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut is_name = true;
        if input.peek(Token![<]) {
            input.parse::<AngleBrackets>()?;
            input.parse::<Token![::]>()?;
            is_name = false;
        } else if input.parse::<Option<Token![::]>>()?.is_some() {
            is_name = false;
        }
        let name = input.call(Ident::parse_any)?;
        while input.parse::<Option<Token![::]>>()?.is_some() {
            is_name = false;
            if input.peek(Token![<]) {
                input.parse::<AngleBrackets>()?;
            } else {
                input.call(Ident::parse_any)?;
            }
        }
        Ok(Self {
            name: is_name.then_some(name),
        })
    }
}
