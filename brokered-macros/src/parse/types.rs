//! Types.

use syn::Type;
use syn::parse::{ParseStream, Result};

use super::tokens::{AngleBrackets, tokens_until};

/// Takes a type. If `syn` cannot parse it, it stays the tokens that it is: it is half typed, or it contains a block, which
/// `syn` only parses with its feature `full`.
pub(crate) fn type_until(
    input: ParseStream<'_>,
    end: fn(ParseStream<'_>) -> bool,
) -> Result<Box<Type>> {
    let tokens = tokens_until::<AngleBrackets>(input, end)?;
    let ty = syn::parse2(tokens.clone()).unwrap_or(Type::Verbatim(tokens));
    Ok(Box::new(ty))
}

/// A type without the parentheses and the invisible groups around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}
