//! The annotated item, taken apart. What it may be is for `check` to say.
//!
//! Only the signature is read, by hand: types, patterns and above all the body stay the tokens that the user wrote,
//! so that half-typed code still expands, and the compiler's errors are about what the user typed.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::arguments::{Angles, Context, split};

/// What the attribute stands on.
#[derive(Debug)]
pub(crate) enum Item {
    Function(Box<MainFn>),
    /// No function: the keyword that says so, and what to call it.
    Other {
        at: TokenTree,
        what: &'static str,
    },
    /// Nothing at all.
    Nothing,
}

/// A function with or without a body.
#[derive(Debug)]
pub(crate) struct MainFn {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: TokenStream,
    /// What stands before `fn`, `async` included: each qualifier with the token that names it.
    pub(crate) qualifiers: Vec<Qualifier>,
    pub(crate) fn_token: Ident,
    pub(crate) name: Ident,
    /// `<..>`, brackets included.
    pub(crate) generics: TokenStream,
    pub(crate) parameters: Group,
    pub(crate) taken: Vec<Parameter>,
    /// `-> ..`, arrow included.
    pub(crate) output: TokenStream,
    /// `where ..`, keyword included.
    pub(crate) where_clause: TokenStream,
    pub(crate) body: Option<Group>,
}

/// `#[path ..]`
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) tokens: TokenStream,
    /// The path's segments.
    pub(crate) path: Vec<Ident>,
}

/// `async`, `unsafe`, `extern "C"`, ...
#[derive(Debug)]
pub(crate) struct Qualifier {
    pub(crate) name: Ident,
    pub(crate) tokens: TokenStream,
}

/// One parameter, as far as its tokens tell.
#[derive(Debug)]
pub(crate) enum Parameter {
    /// `pattern: type`, and all of it with its attributes.
    Typed {
        ty: TokenStream,
        tokens: TokenStream,
        /// What is in the brackets of each `#[cfg(..)]` on it: those are still there when the attribute runs.
        conditions: Vec<TokenStream>,
    },
    /// `self` in any of its forms.
    Receiver(TokenStream),
    /// `...`
    Variadic(TokenStream),
    /// A pattern whose type is still to be typed.
    Untyped(TokenStream),
}

impl Parameter {
    /// All of it, if it is one that is loaded.
    pub(crate) fn tokens(&self) -> Option<&TokenStream> {
        match self {
            Self::Typed { tokens, .. } => Some(tokens),
            Self::Receiver(_) | Self::Variadic(_) | Self::Untyped(_) => None,
        }
    }

    /// Under what conditions it is there.
    pub(crate) fn conditions(&self) -> &[TokenStream] {
        match self {
            Self::Typed { conditions, .. } => conditions,
            Self::Receiver(_) | Self::Variadic(_) | Self::Untyped(_) => &[],
        }
    }

    /// Its type, if it has one.
    pub(crate) fn ty(&self) -> Option<&TokenStream> {
        match self {
            Self::Typed { ty, .. } => Some(ty),
            Self::Receiver(_) | Self::Variadic(_) | Self::Untyped(_) => None,
        }
    }
}

impl MainFn {
    pub(crate) fn is_async(&self) -> bool {
        self.qualifiers
            .iter()
            .any(|qualifier| qualifier.name == "async")
    }

    /// The attributes at the beginning of the body, `#![path ..]`, which are as much the function's as those above it.
    pub(crate) fn attributes_within(&self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        let body = self
            .body
            .iter()
            .filter(|body| may_begin_with_attributes(body));
        let mut tokens = body.flat_map(Group::stream);
        while let (
            Some(TokenTree::Punct(hash)),
            Some(TokenTree::Punct(bang)),
            Some(TokenTree::Group(group)),
        ) = (tokens.next(), tokens.next(), tokens.next())
        {
            if hash.as_char() != '#' || bang.as_char() != '!' {
                break;
            }
            attributes.push(Attribute {
                path: path_of(group.stream()),
                tokens: [TokenTree::from(hash), bang.into(), group.into()]
                    .into_iter()
                    .collect(),
            });
        }
        attributes
    }

    /// The return type's tokens, arrow excluded; empty where there is none.
    pub(crate) fn output_type(&self) -> TokenStream {
        self.output.clone().into_iter().skip(2).collect()
    }
}

/// Takes the item apart. Never fails: what can't be read is [`Item::Other`].
pub(crate) fn parse(tokens: TokenStream) -> Item {
    let mut flat = Vec::new();
    flatten(tokens, &mut flat);
    let mut rest = Cursor {
        tokens: flat.into_iter().peekable(),
    };

    let attributes = rest.attributes();
    let visibility = rest.visibility();
    let qualifiers = rest.qualifiers();
    match rest.next() {
        Some(TokenTree::Ident(fn_token)) if fn_token == "fn" => {
            rest.function(attributes, visibility, qualifiers, fn_token)
        }
        Some(at @ TokenTree::Ident(_))
            if !is_ident(&at, "macro_rules")
                && rest.next_if(|token| is_punct(token, '!')).is_some() =>
        {
            Item::Other {
                what: "a macro call",
                at,
            }
        }
        Some(at) => Item::Other {
            what: called(qualifiers.first().map(|qualifier| &qualifier.name), &at),
            at,
        },
        // `const _` is read as a qualifier, as is a block's `unsafe`.
        None => match qualifiers.into_iter().next() {
            Some(Qualifier { name, .. }) => Item::Other {
                what: "something that is not a function",
                at: name.into(),
            },
            None => Item::Nothing,
        },
    }
}

/// What to call an item that is no function, by the token where `fn` should have been.
fn called(qualifier: Option<&Ident>, token: &TokenTree) -> &'static str {
    let word = match token {
        TokenTree::Ident(ident) => ident.to_string(),
        TokenTree::Punct(punct) => punct.to_string(),
        _ => String::new(),
    };
    match word.as_str() {
        "struct" => "a struct",
        "enum" => "an enum",
        "union" => "a union",
        "trait" => "a trait",
        "impl" => "an impl",
        "mod" => "a module",
        "use" => "a use declaration",
        "static" => "a static",
        "type" => "a type alias",
        "let" => "a let statement",
        "macro_rules" => "a macro",
        "|" | "move" => "a closure",
        _ if qualifier.is_some_and(|name| name == "const") => "a const",
        _ => "something that is not a function",
    }
}

/// Takes the invisible brackets off that a `macro_rules!` fragment leaves around what it was given, here where only
/// the signature's own tokens stand.
fn flatten(tokens: TokenStream, into: &mut Vec<TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                flatten(group.stream(), into);
            }
            token => into.push(token),
        }
    }
}

struct Cursor {
    tokens: std::iter::Peekable<std::vec::IntoIter<TokenTree>>,
}

impl Cursor {
    fn next(&mut self) -> Option<TokenTree> {
        self.tokens.next()
    }

    fn next_if(&mut self, wanted: impl FnOnce(&TokenTree) -> bool) -> Option<TokenTree> {
        self.tokens.next_if(wanted)
    }

    fn group(&mut self, delimiter: Delimiter) -> Option<Group> {
        match self.next_if(
            |token| matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter),
        ) {
            Some(TokenTree::Group(group)) => Some(group),
            _ => None,
        }
    }

    fn attributes(&mut self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        while let Some(hash) = self.next_if(|token| is_punct(token, '#')) {
            let Some(group) = self.group(Delimiter::Bracket) else {
                break;
            };
            let path = path_of(group.stream());
            attributes.push(Attribute {
                tokens: [hash, group.into()].into_iter().collect(),
                path,
            });
        }
        attributes
    }

    fn visibility(&mut self) -> TokenStream {
        let mut visibility = TokenStream::new();
        if let Some(token) = self.next_if(|token| is_ident(token, "pub")) {
            visibility.extend([token]);
            if let Some(group) = self.group(Delimiter::Parenthesis) {
                visibility.extend([TokenTree::from(group)]);
            }
        }
        visibility
    }

    fn qualifiers(&mut self) -> Vec<Qualifier> {
        let mut qualifiers = Vec::new();
        while let Some(TokenTree::Ident(name)) = self.next_if(|token| {
            ["async", "const", "unsafe", "safe", "extern", "gen"]
                .iter()
                .any(|word| is_ident(token, word))
        }) {
            let mut tokens = TokenStream::from(TokenTree::from(name.clone()));
            if name == "extern" {
                tokens.extend(self.next_if(|token| matches!(token, TokenTree::Literal(_))));
            }
            qualifiers.push(Qualifier { name, tokens });
        }
        qualifiers
    }

    /// The rest of a function, after `fn`.
    fn function(
        mut self,
        attributes: Vec<Attribute>,
        visibility: TokenStream,
        qualifiers: Vec<Qualifier>,
        fn_token: Ident,
    ) -> Item {
        let Some(TokenTree::Ident(name)) =
            self.next_if(|token| matches!(token, TokenTree::Ident(_)))
        else {
            return Item::Other {
                at: fn_token.into(),
                what: "something that is not a function",
            };
        };
        let generics = self.generics();
        let Some(parameters) = self.group(Delimiter::Parenthesis) else {
            return Item::Other {
                at: fn_token.into(),
                what: "something that is not a function",
            };
        };

        // The body is the last token: a type may hold braces of its own, in a const argument.
        let mut rest: Vec<TokenTree> = self.tokens.collect();
        let body = match rest.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => Some(group),
            // Half typed: whatever it is, it stays.
            Some(token) if !is_punct(&token, ';') => {
                rest.push(token);
                None
            }
            _ => None,
        };
        let is_where = rest
            .iter()
            .position(|token| is_ident(token, "where"))
            .unwrap_or(rest.len());
        let where_clause = rest.split_off(is_where).into_iter().collect();
        let taken = split(parameters.stream(), Context::Type)
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .map(parameter)
            .collect();
        Item::Function(Box::new(MainFn {
            attributes,
            visibility,
            qualifiers,
            fn_token,
            name,
            generics,
            parameters,
            taken,
            output: rest.into_iter().collect(),
            where_clause,
            body,
        }))
    }

    fn generics(&mut self) -> TokenStream {
        let mut generics = TokenStream::new();
        if self.tokens.peek().is_some_and(|token| is_punct(token, '<')) {
            let mut angles = Angles::default();
            for token in self.tokens.by_ref() {
                match &token {
                    TokenTree::Punct(punct) => angles.see(punct, true),
                    _ => angles.see_other(),
                }
                generics.extend([token]);
                if !angles.inside() {
                    break;
                }
            }
        }
        generics
    }
}

/// Reads one parameter; of its own attributes, only `cfg` is looked at.
fn parameter(piece: Vec<TokenTree>) -> Parameter {
    let whole = piece.iter().cloned().collect();
    let mut rest = Cursor {
        tokens: piece.into_iter().peekable(),
    };
    let conditions = rest
        .attributes()
        .iter()
        .flat_map(|attribute| conditions_of(&attribute.tokens))
        .collect();
    let piece: Vec<_> = rest.tokens.collect();
    let tokens = || piece.iter().cloned().collect();

    // `self`, `&self`, `&'a mut self`, `mut self: Box<Self>`: a pattern has no other place for the keyword.
    let colon = lone_colon(&piece);
    if piece
        .iter()
        .take(colon.unwrap_or(piece.len()))
        .any(|token| is_ident(token, "self"))
    {
        return Parameter::Receiver(tokens());
    }
    let type_or_all = match colon {
        Some(colon) => &piece[colon + 1..],
        None => &piece[..],
    };
    if type_or_all
        .first()
        .is_some_and(|token| is_punct(token, '.'))
    {
        return Parameter::Variadic(tokens());
    }
    match colon {
        Some(colon) if colon + 1 < piece.len() => Parameter::Typed {
            ty: piece[colon + 1..].iter().cloned().collect(),
            tokens: whole,
            conditions,
        },
        _ => Parameter::Untyped(whole),
    }
}

/// Whether a look at the tokens is needed to know: taking a long body apart for its first one costs more than all the rest of an
/// expansion. What begins with a comment, or comes out of a macro, may go on with anything.
fn may_begin_with_attributes(body: &Group) -> bool {
    body.span().source_text().is_none_or(|text| {
        text.strip_prefix('{')
            .is_none_or(|inside| inside.trim_start().starts_with(['#', '/', '$']))
    })
}

/// What is in the brackets of `#[cfg(..)]`, and of each `cfg` in a `#[cfg_attr(..)]`.
fn conditions_of(attribute: &TokenStream) -> Vec<TokenStream> {
    let Some(TokenTree::Group(bracket)) = attribute.clone().into_iter().last() else {
        return Vec::new();
    };
    conditions_in(bracket.stream())
}

/// The same of what is in an attribute's own brackets.
fn conditions_in(attribute: TokenStream) -> Vec<TokenStream> {
    let mut tokens = attribute.into_iter();
    let (Some(name), Some(TokenTree::Group(group)), None) =
        (tokens.next(), tokens.next(), tokens.next())
    else {
        return Vec::new();
    };
    if is_ident(&name, "cfg") {
        return vec![group.stream()];
    }
    if !is_ident(&name, "cfg_attr") {
        return Vec::new();
    }
    let mut pieces = split(group.stream(), Context::Expression)
        .into_iter()
        .map(|piece| piece.into_iter().collect::<TokenStream>());
    let condition = pieces.next().unwrap_or_default();
    pieces
        .flat_map(conditions_in)
        .map(|then| quote::quote!(any(not(#condition), #then)))
        .collect()
}

/// Where the first `:` stands that is not half of a `::`.
fn lone_colon(tokens: &[TokenTree]) -> Option<usize> {
    let mut index = 0;
    while index < tokens.len() {
        if is_punct(&tokens[index], ':') {
            let joint = matches!(&tokens[index], TokenTree::Punct(punct) if punct.spacing() == proc_macro2::Spacing::Joint);
            if !(joint
                && tokens
                    .get(index + 1)
                    .is_some_and(|next| is_punct(next, ':')))
            {
                return Some(index);
            }
            index += 1;
        }
        index += 1;
    }
    None
}

/// The segments at the beginning of an attribute's tokens; `unsafe(..)` is looked into.
fn path_of(tokens: TokenStream) -> Vec<Ident> {
    let mut path = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "unsafe" && path.is_empty() => {
                if let Some(TokenTree::Group(group)) = tokens.next() {
                    return path_of(group.stream());
                }
            }
            TokenTree::Ident(ident) => path.push(ident),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                path.extend(path_of(group.stream()));
            }
            _ => break,
        }
    }
    path
}

pub(crate) fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

pub(crate) fn is_ident(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(text: &str) -> MainFn {
        match parse(text.parse().unwrap()) {
            Item::Function(function) => *function,
            other => panic!("{text} is read as {other:?}"),
        }
    }

    /// Tokens as text, without regard to how a printer spaces them.
    fn tight(tokens: &TokenStream) -> String {
        tokens.to_string().replace(' ', "")
    }

    /// The parameters, each as the kind that it is read as.
    fn taken(text: &str) -> Vec<String> {
        function(text)
            .taken
            .into_iter()
            .map(|parameter| match parameter {
                Parameter::Typed { ty, .. } => format!("typed {}", tight(&ty)),
                Parameter::Receiver(_) => "receiver".to_owned(),
                Parameter::Variadic(_) => "variadic".to_owned(),
                Parameter::Untyped(_) => "untyped".to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_signature_is_taken_apart() {
        let read = function(
            "/// Doc.\n#[tokio::main(flavor = \"x\")] pub(crate) async unsafe extern \"C\" fn main<T: Into<U>, U>(b: Bound) -> Result<(), E<{ 1 }>> where T: Copy { body }",
        );
        assert_eq!(read.attributes.len(), 2);
        assert_eq!(read.attributes[1].path, ["tokio", "main"]);
        assert_eq!(tight(&read.visibility), "pub(crate)");
        assert!(read.is_async());
        assert_eq!(read.qualifiers.len(), 3);
        assert_eq!(tight(&read.generics), "<T:Into<U>,U>");
        assert_eq!(tight(&read.output_type()), "Result<(),E<{1}>>");
        assert_eq!(tight(&read.where_clause), "whereT:Copy");
        assert_eq!(read.body.unwrap().stream().to_string(), "body");
    }

    #[test]
    fn a_parameter_is_read_by_its_first_lone_colon() {
        assert_eq!(
            taken("fn main(mut a: A, _: b::C<D, E>, F { g: h, .. }: F, i::J(k): fn(L) -> M,) {}"),
            ["typed A", "typed b::C<D,E>", "typed F", "typed fn(L)->M"]
        );
        assert_eq!(
            taken("fn main(#[allow(unused)] a: &'static mut A) {}"),
            ["typed &'staticmutA"]
        );
    }

    #[test]
    fn receivers_and_dots_are_told_apart() {
        assert_eq!(
            taken("fn main(&'a mut self, mut self: Box<Self>, a: self::A) {}"),
            ["receiver", "receiver", "typed self::A"]
        );
        assert_eq!(taken("fn main(a: A, ...) {}")[1], "variadic");
        assert_eq!(taken("fn main(a: A, mut args: ...) {}")[1], "variadic");
    }

    #[test]
    fn half_typed_parameters_are_read_too() {
        assert_eq!(taken("fn main(bound) {}"), ["untyped"]);
        assert_eq!(taken("fn main(bound:) {}"), ["untyped"]);
        assert_eq!(taken("fn main(bound: Bound, inde) {}")[1], "untyped");
    }

    #[test]
    fn an_attribute_inside_unsafe_is_known_by_its_own_name() {
        assert_eq!(
            function("#[unsafe(no_mangle)] fn main() {}").attributes[0].path,
            ["no_mangle"]
        );
    }

    #[test]
    fn attributes_within_the_body_are_the_functions_too() {
        let read = function("fn main() { #![allow(x)] #![unsafe(no_mangle)] #[inner] fn f() {} }");
        let within: Vec<_> = read
            .attributes_within()
            .into_iter()
            .map(|attribute| attribute.path[0].to_string())
            .collect();
        assert_eq!(within, ["allow", "no_mangle"]);
        let after_a_comment = function("fn main() {\n    // What for?\n    #![no_mangle]\n}");
        assert_eq!(after_a_comment.attributes_within().len(), 1);
        assert!(function("fn main() {}").attributes_within().is_empty());
        assert!(function("fn main();").attributes_within().is_empty());
    }

    #[test]
    fn a_parameter_is_there_under_all_of_its_conditions() {
        let read = function(
            "fn main(#[cfg(a)] #[allow(b)] #[cfg_attr(c, cfg(d), allow(e), cfg_attr(f, cfg(g)))] _: B) {}",
        );
        let conditions: Vec<_> = read.taken[0].conditions().iter().map(tight).collect();
        assert_eq!(
            conditions,
            ["a", "any(not(c),d)", "any(not(c),any(not(f),g))"]
        );
    }

    #[test]
    fn what_is_no_function_is_named() {
        for (text, wanted) in [
            ("struct A;", "a struct"),
            ("pub enum A {}", "an enum"),
            ("impl A {}", "an impl"),
            ("mod a {}", "a module"),
            ("const A: u8 = 1;", "a const"),
            ("static A: u8 = 1;", "a static"),
            ("|| 1", "a closure"),
            ("move || 1", "a closure"),
            ("macro_rules! a { () => {} }", "a macro"),
            ("fn", "something that is not a function"),
            ("fn main", "something that is not a function"),
            ("unsafe", "something that is not a function"),
            ("include!(\"x\");", "a macro call"),
        ] {
            match parse(text.parse().unwrap()) {
                Item::Other { what, .. } => assert_eq!(what, wanted, "{text}"),
                other => panic!("{text} is read as {other:?}"),
            }
        }
        assert!(matches!(parse(TokenStream::new()), Item::Nothing));
    }

    #[test]
    fn a_function_without_a_body_is_still_a_function() {
        assert!(function("fn main(bound: Bound);").body.is_none());
        assert!(function("fn main(bound: Bound)").body.is_none());
    }

    #[test]
    fn invisible_brackets_around_fragments_are_looked_through() {
        let item = TokenTree::from(Group::new(
            Delimiter::None,
            "pub fn main(a: A) {}".parse().unwrap(),
        ));
        let Item::Function(read) = parse(item.into()) else {
            panic!("not read as a function")
        };
        assert_eq!(read.visibility.to_string(), "pub");
        assert!(read.body.is_some());
    }
}
