//! The attribute's arguments.

use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser, Result};
use syn::punctuated::Punctuated;

use super::tokens::{ValuePath, comma, is_at, tokens_until};

pub(crate) type Arguments = Punctuated<Argument, Token![,]>;

/// Parses what is between the attribute's parentheses.
pub(crate) fn parse(tokens: TokenStream) -> Arguments {
    // There is no error: an argument is whatever comes before a comma.
    Punctuated::parse_terminated
        .parse2(tokens)
        .unwrap_or_default()
}

/// One argument.
pub(crate) enum Argument {
    /// `name = value`. The value has no tokens in `name =`.
    Named { name: Ident, value: Expression },
    /// Any other argument.
    Unnamed(Expression),
    /// No argument before this comma.
    Missing(Token![,]),
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if comma(input) {
            return input.fork().parse().map(Self::Missing);
        }
        if is_assignment(input) {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            let value = input.parse()?;
            return Ok(Self::Named { name, value });
        }
        input.parse().map(Self::Unnamed)
    }
}

/// Whether the argument begins with `name =`.
fn is_assignment(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any)
        && input.peek2(Token![=])
        && !input.peek2(Token![==])
        && !input.peek2(Token![=>])
}

/// An expression, as the tokens that the user has typed, and its form.
pub(crate) struct Expression {
    pub(crate) tokens: TokenStream,
    pub(crate) form: Form,
}

/// The forms of an expression that the checks tell apart.
pub(crate) enum Form {
    /// `"text"`, `42`
    Literal(Literal),
    /// `"text".method(..)`
    MethodOfLiteral {
        literal: Literal,
        method: Ident,
        /// `.method(..)` and what follows it.
        rest: TokenStream,
    },
    /// `a::b::<C>`
    Path {
        /// The path, if it is one identifier.
        name: Option<Ident>,
    },
    /// `a::`
    IncompletePath,
    /// `a::b(..)`, and perhaps more.
    Call {
        /// The path, if it is one identifier and nothing follows the call.
        name: Option<Ident>,
        arguments: Group,
    },
    /// `a!(..)`
    MacroCall,
    /// `|a| b`
    Closure,
    Other,
}

impl Expression {
    /// The first `;` outside of brackets.
    pub(crate) fn semicolon(&self) -> Option<TokenTree> {
        let mut tokens = self.tokens.clone().into_iter();
        tokens.find(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';'))
    }

    /// `name`, `name(..)`: the name, and what is in the brackets.
    pub(crate) fn option(&self) -> Option<(&Ident, TokenStream)> {
        match &self.form {
            Form::Path { name } => Some((name.as_ref()?, TokenStream::new())),
            Form::Call { name, arguments } => Some((name.as_ref()?, arguments.stream())),
            _ => None,
        }
    }
}

impl Parse for Expression {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let form = form(&input.fork())?;
        let tokens = tokens_until::<ValuePath>(input, comma)?;
        Ok(Self { tokens, form })
    }
}

fn form(input: ParseStream<'_>) -> Result<Form> {
    if input.cursor().literal().is_some() {
        let literal = input.parse()?;
        return form_of_literal(literal, input);
    }
    if input.peek(Token![|]) || input.peek(Token![move]) {
        return Ok(Form::Closure);
    }
    let begins_a_path =
        input.peek(Ident::peek_any) || input.peek(Token![::]) || input.peek(Token![<]);
    let Ok(ValuePath { name }) = input.parse() else {
        return Ok(if begins_a_path {
            Form::IncompletePath
        } else {
            Form::Other
        });
    };
    Ok(form_of_path(name, input))
}

/// The form of an expression that begins with a literal.
fn form_of_literal(literal: Literal, input: ParseStream<'_>) -> Result<Form> {
    if is_at(input, comma) {
        return Ok(Form::Literal(literal));
    }
    let begin = input.fork();
    if input.parse::<Option<Token![.]>>()?.is_none() || !input.peek(Ident::peek_any) {
        return Ok(Form::Other);
    }
    Ok(Form::MethodOfLiteral {
        literal,
        method: input.call(Ident::parse_any)?,
        rest: tokens_until::<ValuePath>(&begin, comma)?,
    })
}

/// The form of an expression that begins with a path.
fn form_of_path(name: Option<Ident>, input: ParseStream<'_>) -> Form {
    if is_at(input, comma) {
        return Form::Path { name };
    }
    if input.peek(Token![!]) && !input.peek(Token![!=]) {
        return Form::MacroCall;
    }
    let Ok(arguments) = input.parse::<Group>() else {
        return Form::Other;
    };
    let is_all = is_at(input, comma);
    if !is_all && arguments.delimiter() != Delimiter::Parenthesis {
        return Form::Other;
    }
    Form::Call {
        name: name.filter(|_| is_all),
        arguments,
    }
}
