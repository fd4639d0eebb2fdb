//! The second stage: what is allowed. Nothing is quoted here.
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

use proc_macro2::Span;
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
    let tokens = tokens.to_token_stream();
    let mut spans = tokens.into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
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
