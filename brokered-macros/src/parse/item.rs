//! The annotated item.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser, Result};
use syn::spanned::Spanned;
use syn::{Abi, Attribute, Generics, Path, ReturnType, Token, Type, Visibility, parenthesized};

use super::parameter::Parameter;
use super::types::{bare, type_until};

/// What the attribute is on.
pub(crate) enum Item {
    Function(Box<MainFn>),
    Other(OtherItem),
}

/// Parses the item. Whatever is not a function, or not yet, is an [`OtherItem`].
pub(crate) fn parse(tokens: TokenStream) -> Item {
    let (signature, body) = split_off_body(tokens);
    if let Ok(signature) = syn::parse2(signature.clone()) {
        return Item::Function(Box::new(MainFn { signature, body }));
    }
    if signature.is_empty() {
        return Item::Other(OtherItem::without_tokens(body.as_ref()));
    }
    let at = signature.span();
    let other = syn::parse2(signature).unwrap_or(OtherItem {
        at,
        what: "an incomplete item",
    });
    Item::Other(other)
}

/// The tokens before the body, and the body. `syn` copies all tokens that it parses, and a body is long.
fn split_off_body(tokens: TokenStream) -> (TokenStream, Option<Group>) {
    let mut tokens: Vec<_> = tokens.into_iter().collect();
    let body = loop {
        match tokens.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                break Some(group);
            }
            // An invisible group, which a `macro_rules!` fragment leaves behind.
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
                tokens.extend(group.stream());
            }
            last => {
                tokens.extend(last);
                break None;
            }
        }
    };
    (tokens.into_iter().collect(), body)
}

/// A function, with or without a body.
pub(crate) struct MainFn {
    pub(crate) signature: Signature,
    pub(crate) body: Option<Group>,
}

impl MainFn {
    /// The attributes at the beginning of the body, `#![..]`. They apply to the function like those above it.
    pub(crate) fn inner_attributes(&self) -> Vec<Attribute> {
        let attributes = self.body.iter().flat_map(leading_attributes).collect();
        Attribute::parse_inner
            .parse2(attributes)
            .unwrap_or_default()
    }
}

/// The tokens of the attributes at the beginning of a body.
fn leading_attributes(body: &Group) -> TokenStream {
    let mut attributes = TokenStream::new();
    if !may_begin_with_attributes(body) {
        return attributes;
    }
    let mut tokens = body.stream().into_iter();
    while let (Some(hash), Some(bang), Some(TokenTree::Group(group))) =
        (tokens.next(), tokens.next(), tokens.next())
    {
        if !is_punct(&hash, '#') || !is_punct(&bang, '!') {
            break;
        }
        attributes.extend([hash, bang, group.into()]);
    }
    attributes
}

/// Whether the body's tokens have to be looked at. To take a long body apart costs more than the rest of an expansion. After
/// a comment, and in code that a macro made, there may be an attribute.
fn may_begin_with_attributes(body: &Group) -> bool {
    body.span().source_text().is_none_or(|text| {
        text.strip_prefix('{')
            .is_none_or(|inside| inside.trim_start().starts_with(['#', '/', '$']))
    })
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// All of a function but its body.
pub(crate) struct Signature {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) qualifiers: Vec<Qualifier>,
    pub(crate) fn_token: Token![fn],
    pub(crate) name: Ident,
    /// With the `where` clause.
    pub(crate) generics: Generics,
    /// The user's own tokens, with their parentheses.
    pub(crate) parentheses: Group,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: ReturnType,
}

impl Signature {
    pub(crate) fn asyncness(&self) -> Option<&Token![async]> {
        self.qualifiers
            .iter()
            .find_map(|qualifier| match qualifier {
                Qualifier::Async(token) => Some(token),
                Qualifier::Extern(_) | Qualifier::Word(_) => None,
            })
    }

    /// The return type, if it is written.
    pub(crate) fn output_type(&self) -> Option<&Type> {
        match &self.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }

    /// Whether the function returns `!`.
    pub(crate) fn never_returns(&self) -> bool {
        self.output_type()
            .is_some_and(|ty| matches!(bare(ty), Type::Never(_)))
    }
}

impl Parse for Signature {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let qualifiers = input.call(Qualifier::parse_all)?;
        let fn_token = input.parse()?;
        let name = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let parentheses = input.fork().parse()?;
        let inside;
        parenthesized!(inside in input);
        let parameters = inside.parse_terminated(Parameter::parse, Token![,])?;
        let output = input.call(parse_output)?;
        generics.where_clause = input.parse()?;
        input.parse::<Option<Token![;]>>()?;
        Ok(Self {
            attributes,
            visibility,
            qualifiers,
            fn_token,
            name,
            generics,
            parentheses,
            parameters: parameters.into_iter().collect(),
            output,
        })
    }
}

fn parse_output(input: ParseStream<'_>) -> Result<ReturnType> {
    let Some(arrow) = input.parse()? else {
        return Ok(ReturnType::Default);
    };
    let ty = type_until(input, |input| {
        input.peek(Token![where]) || input.peek(Token![;])
    })?;
    Ok(ReturnType::Type(arrow, ty))
}

/// What is before `fn`.
pub(crate) enum Qualifier {
    Async(Token![async]),
    Extern(Abi),
    /// `const`, `unsafe`, `safe`, `gen`
    Word(Ident),
}

impl Qualifier {
    fn parse_all(input: ParseStream<'_>) -> Result<Vec<Self>> {
        let mut qualifiers = Vec::new();
        loop {
            qualifiers.push(if input.peek(Token![async]) {
                Self::Async(input.parse()?)
            } else if input.peek(Token![extern]) {
                Self::Extern(input.parse()?)
            } else if is_word(input, &["const", "unsafe", "safe", "gen"]) {
                Self::Word(input.call(Ident::parse_any)?)
            } else {
                return Ok(qualifiers);
            });
        }
    }
}

impl ToTokens for Qualifier {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Async(token) => token.to_tokens(tokens),
            Self::Extern(abi) => abi.to_tokens(tokens),
            Self::Word(word) => word.to_tokens(tokens),
        }
    }
}

/// Whether the next token is one of these words. Unlike `syn`'s tokens, a word may be one that is reserved in some editions only.
fn is_word(input: ParseStream<'_>, words: &[&str]) -> bool {
    (input.cursor().ident()).is_some_and(|(ident, _)| words.iter().any(|word| ident == word))
}

/// An item that is not a function.
pub(crate) struct OtherItem {
    /// Where it says what it is.
    pub(crate) at: Span,
    /// What it is, with an article.
    pub(crate) what: &'static str,
}

impl OtherItem {
    fn without_tokens(body: Option<&Group>) -> Self {
        match body {
            Some(body) => Self {
                at: body.span(),
                what: "a block",
            },
            None => Self {
                at: Span::call_site(),
                what: "nothing",
            },
        }
    }
}

impl Parse for OtherItem {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let first = input.span();
        let qualifiers = input.call(Qualifier::parse_all)?;
        let item = match (kind(input), qualifiers.first()) {
            (Some(what), _) => Self {
                at: input.span(),
                what,
            },
            (None, Some(Qualifier::Word(word))) if word == "const" => Self {
                at: first,
                what: "a const",
            },
            (None, _) => Self {
                at: first,
                what: "an item that is not a function",
            },
        };
        input.parse::<TokenStream>()?;
        Ok(item)
    }
}

/// What to call an item, by its first token after the visibility and the qualifiers.
fn kind(input: ParseStream<'_>) -> Option<&'static str> {
    Some(if input.peek(Token![fn]) {
        "an incomplete function"
    } else if input.peek(Token![struct]) {
        "a struct"
    } else if input.peek(Token![enum]) {
        "an enum"
    } else if input.peek(Token![trait]) {
        "a trait"
    } else if input.peek(Token![impl]) {
        "an impl"
    } else if input.peek(Token![mod]) {
        "a module"
    } else if input.peek(Token![use]) {
        "a use declaration"
    } else if input.peek(Token![static]) {
        "a static"
    } else if input.peek(Token![type]) {
        "a type alias"
    } else if input.peek(Token![let]) {
        "a let statement"
    } else if input.peek(Token![|]) || input.peek(Token![move]) {
        "a closure"
    } else if is_word(input, &["macro_rules"]) {
        "a macro"
    } else if is_macro_call(input) {
        "a macro call"
    } else if is_word(input, &["union"]) {
        "a union"
    } else {
        return None;
    })
}

fn is_macro_call(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.call(Path::parse_mod_style).is_ok() && ahead.peek(Token![!])
}
