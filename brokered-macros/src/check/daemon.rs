//! The first argument: which daemon it is.

use proc_macro2::{Literal, TokenStream};

use super::name::{nearest_valid, text_of, why_invalid};
use super::{EXAMPLE, Mistake, source};
use crate::catalogue::{self, Message};
use crate::parse::arguments::{Expression, Form};

/// The first argument, checked.
pub(crate) enum Daemon {
    Name(Literal),
    Expression(TokenStream),
}

impl Daemon {
    /// The argument, as a message repeats it.
    pub(super) fn as_argument(daemon: Option<&Self>) -> String {
        match daemon {
            Some(Self::Name(name)) => name.to_string(),
            Some(Self::Expression(tokens)) => source(tokens),
            None => format!("\"{EXAMPLE}\""),
        }
    }

    /// An expression of the type `Daemon`, to call a method of.
    pub(super) fn as_expression(daemon: Option<&Self>) -> String {
        let argument = Self::as_argument(daemon);
        match daemon {
            Some(Self::Expression(_)) => argument,
            Some(Self::Name(_)) | None => format!("Daemon::new({argument})"),
        }
    }
}

/// Checks the first argument. The compiler checks whatever is not a literal.
pub(super) fn check(expression: &Expression) -> Result<Daemon, Mistake> {
    if let Some(semicolon) = expression.semicolon() {
        let message = Message::new(&catalogue::STATEMENT);
        return Err(Mistake::on(semicolon.span(), message));
    }
    let mistake = |message| Err(Mistake::at(&expression.tokens, message));
    match &expression.form {
        Form::Literal(literal) => match text_of(literal) {
            None => mistake(
                Message::new(&catalogue::NOT_A_NAME)
                    .with("found", literal.to_string())
                    .with("example", EXAMPLE),
            ),
            Some(name) => match why_invalid(&name) {
                None => Ok(Daemon::Name(literal.clone())),
                Some(reason) => mistake(
                    Message::new(&catalogue::BAD_NAME)
                        .with("name", printable(&name))
                        .with("reason", reason)
                        .with("example", nearest_valid(&name)),
                ),
            },
        },
        Form::MethodOfLiteral {
            literal,
            method,
            rest,
        } if text_of(literal).is_some() => mistake(
            Message::new(&catalogue::METHOD_ON_NAME)
                .with("method", method.to_string())
                .with("name", literal.to_string())
                .with("rest", source(rest)),
        ),
        _ => Ok(Daemon::Expression(expression.tokens.clone())),
    }
}

/// The text of `name = "indexd"`, if it is a valid name.
pub(super) fn valid_name(value: &Expression) -> Option<String> {
    match &value.form {
        Form::Literal(literal) => text_of(literal).filter(|name| why_invalid(name).is_none()),
        _ => None,
    }
}

fn printable(name: &str) -> String {
    name.chars().map(super::name::printable).collect()
}
