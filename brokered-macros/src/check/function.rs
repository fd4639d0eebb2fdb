//! The rules for the annotated function.

use proc_macro2::TokenStream;
use syn::{Attribute, Visibility};

use super::attributes::{is_ours, makes_callable, may_rewrite, needs_a_processor};
use super::parameters::parameters;
use super::{EXAMPLE, Mistake, source};
use crate::catalogue::{self, Message};
use crate::parse::item::{MainFn, OtherItem, Qualifier, Signature};

/// The name of the user's function in the `main` that the attribute makes.
pub(crate) const INNER_NAME: &str = "__brokered_main";

/// The mistake of an attribute on anything but a function.
pub(crate) fn not_a_function(item: &OtherItem) -> Mistake {
    let message = Message::new(&catalogue::NOT_A_FUNCTION).with("found", item.what);
    Mistake::on(item.at, message)
}

/// Checks the function. `arguments` are the attribute's, for messages that repeat them.
pub(crate) fn function(main: &MainFn, arguments: &TokenStream, mistakes: &mut Vec<Mistake>) {
    let signature = &main.signature;
    for attribute in (signature.attributes.iter()).filter(|attribute| is_ours(attribute)) {
        mistakes.push(Mistake::at(
            attribute,
            Message::new(&catalogue::ATTRIBUTE_TWICE),
        ));
    }
    if signature.name == INNER_NAME {
        // Another `#[brokered_daemon]` made it, one under another name or in a `cfg_attr`.
        mistakes.push(Mistake::of_the_attribute(Message::new(
            &catalogue::ATTRIBUTE_TWICE,
        )));
        return;
    }
    name(signature, mistakes);
    for attribute in (signature.attributes.iter()).chain(&main.inner_attributes()) {
        mistakes.extend(forbidden_attribute(attribute));
    }
    visibility(signature, mistakes);
    qualifiers(signature, mistakes);
    generics(signature, mistakes);
    if main.body.is_none() {
        let message = Message::new(&catalogue::NO_BODY);
        mistakes.push(Mistake::on(signature.name.span(), message));
    }
    parameters(signature, mistakes);
    mistakes.extend(no_executor(signature, arguments));
}

fn name(signature: &Signature, mistakes: &mut Vec<Mistake>) {
    let name = &signature.name;
    if name != "main" {
        let message = Message::new(&catalogue::NOT_MAIN).with("name", name.to_string());
        mistakes.push(Mistake::on(name.span(), message));
    }
}

fn forbidden_attribute(attribute: &Attribute) -> Option<Mistake> {
    let message = if let Some(name) = makes_callable(attribute) {
        Message::new(&catalogue::CALLED_BY_OTHERS).with("attribute", name)
    } else if needs_a_processor(attribute) {
        Message::new(&catalogue::QUALIFIED_MAIN).with("qualifier", "#[target_feature]")
    } else {
        return None;
    };
    Some(Mistake::at(attribute, message))
}

fn visibility(signature: &Signature, mistakes: &mut Vec<Mistake>) {
    let visibility = &signature.visibility;
    if !matches!(visibility, Visibility::Inherited) {
        let message = Message::new(&catalogue::VISIBLE_MAIN).with("visibility", source(visibility));
        mistakes.push(Mistake::at(visibility, message));
    }
}

fn qualifiers(signature: &Signature, mistakes: &mut Vec<Mistake>) {
    for qualifier in &signature.qualifiers {
        if !matches!(qualifier, Qualifier::Async(_)) {
            let message =
                Message::new(&catalogue::QUALIFIED_MAIN).with("qualifier", source(qualifier));
            mistakes.push(Mistake::at(qualifier, message));
        }
    }
}

fn generics(signature: &Signature, mistakes: &mut Vec<Mistake>) {
    let generics = &signature.generics;
    let message = Message::new(&catalogue::GENERIC_MAIN);
    if let (Some(open), Some(close)) = (&generics.lt_token, &generics.gt_token) {
        mistakes.push(Mistake {
            message,
            start: open.span,
            end: close.span,
        });
    } else if let Some(clause) = &generics.where_clause {
        mistakes.push(Mistake::at(clause, message));
    }
}

fn no_executor(signature: &Signature, arguments: &TokenStream) -> Option<Mistake> {
    let asyncness = signature.asyncness()?;
    if signature.attributes.iter().any(may_rewrite) {
        return None;
    }
    let arguments = if arguments.is_empty() {
        format!("\"{EXAMPLE}\"")
    } else {
        source(arguments)
    };
    let message = Message::new(&catalogue::NO_EXECUTOR)
        .with("arguments", arguments)
        .with("parameters", source(&signature.parentheses.stream()));
    Some(Mistake::on(asyncness.span, message))
}
