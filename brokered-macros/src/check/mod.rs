//! The second stage: what is allowed. It generates no code.
//!
//! [`arguments`] and [`function`] hold the rules for the two parts of a use of the attribute. Each mistake is one error, and all
//! of them are reported at once.

mod arguments;
pub(crate) mod attributes;
mod daemon;
mod function;
mod name;
mod options;
mod parameters;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Span, TokenTree};
use quote::ToTokens;

pub(crate) use self::arguments::{Options, arguments};
pub(crate) use self::daemon::Daemon;
pub(crate) use self::function::{INNER_NAME, function, not_a_function};
pub(crate) use self::options::Help;
use crate::catalogue::Message;

/// A name for the daemon in examples, where the user has given none.
const EXAMPLE: &str = "indexd";

/// One error, and the tokens that it is about.
pub(crate) struct Mistake {
    pub(crate) message: Message,
    pub(crate) start: Span,
    pub(crate) end: Span,
}

impl Mistake {
    /// A mistake in `tokens`, of which there is at least one.
    fn at(tokens: &impl ToTokens, message: Message) -> Self {
        let (start, end) = first_and_last(tokens);
        Self {
            message,
            start,
            end,
        }
    }

    fn on(span: Span, message: Message) -> Self {
        Self {
            message,
            start: span,
            end: span,
        }
    }

    /// A mistake in the use of the attribute as a whole.
    fn of_the_attribute(message: Message) -> Self {
        Self::on(Span::call_site(), message)
    }
}

/// The positions of the first token and of the last one.
fn first_and_last(tokens: &impl ToTokens) -> (Span, Span) {
    let tokens: Vec<_> = tokens.to_token_stream().into_iter().collect();
    let ends = tokens.first().zip(tokens.last());
    ends.map_or_else(
        || (Span::call_site(), Span::call_site()),
        |(first, last)| (ends_of(first).0, ends_of(last).1),
    )
}

/// Where a token begins and ends. An invisible group, which a `macro_rules!` fragment leaves behind, is where the fragment is
/// used. What is in it is where the user has typed it.
fn ends_of(token: &TokenTree) -> (Span, Span) {
    match token {
        TokenTree::Group(group)
            if group.delimiter() == Delimiter::None && !group.stream().is_empty() =>
        {
            first_and_last(&group.stream())
        }
        token => (token.span(), token.span()),
    }
}

/// Tokens as the user has typed them, if the compiler still knows the text.
fn source(tokens: &impl ToTokens) -> String {
    let (first, last) = first_and_last(tokens);
    first
        .join(last)
        .filter(|_| !tokens.to_token_stream().is_empty())
        .and_then(|span| span.source_text())
        .unwrap_or_else(|| tokens.to_token_stream().to_string())
}
