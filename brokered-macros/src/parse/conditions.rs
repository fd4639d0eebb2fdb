//! The conditions in `#[cfg(..)]` attributes.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream, Result};
use syn::{Attribute, Meta, Token};

use super::tokens::{ValuePath, comma, tokens_until};

/// The conditions under which something with these attributes exists: what is in the parentheses of each `#[cfg(..)]`, and of
/// each `cfg` in a `#[cfg_attr(..)]`.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<TokenStream> {
    attributes
        .iter()
        .flat_map(|attribute| conditions_in(&attribute.meta))
        .collect()
}

fn conditions_in(meta: &Meta) -> Vec<TokenStream> {
    match meta {
        Meta::List(list) if list.path.is_ident("cfg") => vec![list.tokens.clone()],
        Meta::List(list) if list.path.is_ident("cfg_attr") => list
            .parse_args::<CfgAttr>()
            .map_or_else(|_| Vec::new(), |attribute| attribute.conditions()),
        _ => Vec::new(),
    }
}

/// What is in the parentheses of `#[cfg_attr(condition, attribute, ..)]`.
struct CfgAttr {
    condition: TokenStream,
    attributes: Vec<Meta>,
}

impl CfgAttr {
    fn conditions(&self) -> Vec<TokenStream> {
        let condition = &self.condition;
        self.attributes
            .iter()
            .flat_map(conditions_in)
            .map(|then| quote!(any(not(#condition), #then)))
            .collect()
    }
}

impl Parse for CfgAttr {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let condition = tokens_until::<ValuePath>(input, comma)?;
        let mut attributes = Vec::new();
        while input.parse::<Option<Token![,]>>()?.is_some() {
            // One attribute that is not a `Meta`, such as a tool's, does not hide the conditions of the others.
            let tokens = tokens_until::<ValuePath>(input, comma)?;
            attributes.extend(syn::parse2(tokens));
        }
        Ok(Self {
            condition,
            attributes,
        })
    }
}
