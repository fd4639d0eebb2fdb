//! One parameter of the annotated function.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Result};
use syn::{Attribute, Lifetime, Token, Type};

use super::conditions::conditions;
use super::tokens::{AngleBrackets, ValuePath, comma, is_at, tokens_until};
use super::types::type_until;

pub(crate) enum Parameter {
    /// `pattern: type`
    Typed {
        ty: Box<Type>,
        /// All of the parameter, with its attributes.
        tokens: TokenStream,
        /// The conditions of its `#[cfg(..)]` attributes, which the compiler leaves to the macro.
        conditions: Vec<TokenStream>,
    },
    /// A pattern whose type is not typed yet, with its attributes.
    Untyped(TokenStream),
    /// `self` in any of its forms.
    Receiver(TokenStream),
    /// `...`
    Variadic(TokenStream),
}

impl Parameter {
    /// All of the parameter, if it has a type.
    pub(crate) fn tokens(&self) -> Option<&TokenStream> {
        match self {
            Self::Typed { tokens, .. } => Some(tokens),
            Self::Untyped(_) | Self::Receiver(_) | Self::Variadic(_) => None,
        }
    }

    /// The conditions under which the parameter exists.
    pub(crate) fn conditions(&self) -> &[TokenStream] {
        match self {
            Self::Typed { conditions, .. } => conditions,
            Self::Untyped(_) | Self::Receiver(_) | Self::Variadic(_) => &[],
        }
    }

    pub(crate) fn ty(&self) -> Option<&Type> {
        match self {
            Self::Typed { ty, .. } => Some(ty),
            Self::Untyped(_) | Self::Receiver(_) | Self::Variadic(_) => None,
        }
    }
}

impl Parse for Parameter {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        if is_receiver(input) {
            return tokens_until::<AngleBrackets>(input, comma).map(Self::Receiver);
        }
        let pattern = tokens_until::<ValuePath>(input, comma_or_colon)?;
        let colon: Option<Token![:]> = input.parse()?;
        if input.peek(Token![...]) {
            let dots = tokens_until::<AngleBrackets>(input, comma)?;
            let tokens = [pattern, colon.into_token_stream(), dots];
            return Ok(Self::Variadic(tokens.into_iter().collect()));
        }
        let mut tokens = TokenStream::new();
        for attribute in &attributes {
            attribute.to_tokens(&mut tokens);
        }
        tokens.extend([pattern, colon.to_token_stream()]);
        if tokens.is_empty() {
            return Err(input.error("expected a parameter"));
        }
        if colon.is_none() || is_at(input, comma) {
            return Ok(Self::Untyped(tokens));
        }
        let ty = type_until(input, comma)?;
        ty.to_tokens(&mut tokens);
        Ok(Self::Typed {
            ty,
            tokens,
            conditions: conditions(&attributes),
        })
    }
}

/// Whether the parameter begins as `self`, `mut self` or `&'a mut self` does.
fn is_receiver(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let _: Result<Option<Token![&]>> = ahead.parse();
    let _: Result<Option<Lifetime>> = ahead.parse();
    let _: Result<Option<Token![mut]>> = ahead.parse();
    ahead.peek(Token![self]) && !ahead.peek2(Token![::])
}

/// The end of a pattern. No pattern contains a lone `:` outside of brackets.
fn comma_or_colon(input: ParseStream<'_>) -> bool {
    comma(input) || input.peek(Token![...]) || input.peek(Token![:]) && !input.peek(Token![::])
}
