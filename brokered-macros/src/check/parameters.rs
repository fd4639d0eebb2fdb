//! The rules for the parameters of the annotated function.

use quote::ToTokens;
use syn::{PathArguments, Type};

use super::{Mistake, source};
use crate::catalogue::{self, Message};
use crate::parse::item::Signature;
use crate::parse::parameter::Parameter;
use crate::parse::types::bare;

/// How many parameters may be conditional. Each one doubles the number of calls in the expansion.
const MOST_CONDITIONAL: usize = 8;

pub(super) fn parameters(signature: &Signature, mistakes: &mut Vec<Mistake>) {
    for (index, parameter) in signature.parameters.iter().enumerate() {
        mistakes.extend(match parameter {
            Parameter::Typed { ty, .. } => typed(signature, index, ty),
            Parameter::Receiver(tokens) => {
                Some(Mistake::at(tokens, Message::new(&catalogue::RECEIVER)))
            }
            Parameter::Variadic(tokens) => {
                Some(Mistake::at(tokens, Message::new(&catalogue::VARIADIC)))
            }
            // Half typed: the compiler reports what is missing.
            Parameter::Untyped(_) => None,
        });
    }
    mistakes.extend(too_many_conditions(signature));
    if signature.parameters.is_empty() {
        let message = Message::new(&catalogue::NO_BOUND);
        mistakes.push(Mistake::on(signature.parentheses.span(), message));
    }
}

fn typed(signature: &Signature, index: usize, ty: &Type) -> Option<Mistake> {
    if let Type::ImplTrait(_) = bare(ty) {
        return Some(Mistake::at(ty, Message::new(&catalogue::GENERIC_MAIN)));
    }
    if index == 0 {
        // The compiler checks the type of the first one.
        return None;
    }
    let first = &signature.parameters[0];
    // A state may be called `Bound` too, if the first parameter is not, or has another path. And if the first one is conditional,
    // the other `Bound` is the first one in another configuration.
    if is_bound(ty) && first.ty().is_some_and(|first| is_same(first, ty)) {
        if first.conditions().is_empty() {
            let message = Message::new(&catalogue::BOUND_TWICE).with("type", source(ty));
            return Some(Mistake::at(ty, message));
        }
    } else if index == 1 && is_bound(ty) && first.ty().is_some_and(|first| !is_bound(first)) {
        return Some(bound_not_first(signature, ty));
    }
    let referent = referent(ty)?;
    let message = Message::new(&catalogue::REFERENCE).with("type", source(referent));
    Some(Mistake::at(ty, message))
}

fn bound_not_first(signature: &Signature, ty: &Type) -> Mistake {
    let mut parameters: Vec<_> = (signature.parameters.iter())
        .filter_map(Parameter::tokens)
        .collect();
    parameters.swap(0, 1);
    let parameters: Vec<_> = parameters
        .into_iter()
        .map(|tokens| without_wide_spaces(&source(tokens)))
        .collect();
    let message = Message::new(&catalogue::BOUND_NOT_FIRST)
        .with("type", source(ty))
        .with("parameters", parameters.join(", "));
    Mistake::at(ty, message)
}

fn too_many_conditions(signature: &Signature) -> Option<Mistake> {
    let parameter = (signature.parameters.iter())
        .filter(|parameter| !parameter.conditions().is_empty())
        .nth(MOST_CONDITIONAL)?;
    let message =
        Message::new(&catalogue::TOO_MANY_CONDITIONS).with("most", MOST_CONDITIONAL.to_string());
    Some(Mistake::at(parameter.tokens()?, message))
}

/// Whether two types are the same tokens, wherever these are.
fn is_same(one: &Type, other: &Type) -> bool {
    one.to_token_stream().to_string() == other.to_token_stream().to_string()
}

/// `Bound` or a reference to it, by any path.
fn is_bound(ty: &Type) -> bool {
    match bare(ty) {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            last.ident == "Bound" && matches!(last.arguments, PathArguments::None)
        }),
        Type::Reference(reference) => is_bound(&reference.elem),
        _ => false,
    }
}

/// The `T` of `&T` and `&mut T`. Not of `&'static T`: that may be a state.
fn referent(ty: &Type) -> Option<&Type> {
    match bare(ty) {
        Type::Reference(reference) if reference.lifetime.is_none() => Some(&reference.elem),
        _ => None,
    }
}

/// A parameter as it is usually written. Where the source is not known, there are spaces between all tokens.
fn without_wide_spaces(text: &str) -> String {
    let mut tight = text.to_owned();
    for (wide, narrow) in [
        (" ::", "::"),
        (":: ", "::"),
        (" :", ":"),
        (" ,", ","),
        ("& ", "&"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
    ] {
        tight = tight.replace(wide, narrow);
    }
    tight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_printed_without_wide_spaces() {
        assert_eq!(
            without_wide_spaces("mut index : & 'static a :: Index < 'a , B >"),
            "mut index: &'static a::Index<'a, B>"
        );
    }
}
