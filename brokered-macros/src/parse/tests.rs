//! What the structures hold after parsing.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Type, Visibility};

use super::arguments::{self, Argument, Form};
use super::item::{self, Item, MainFn};
use super::parameter::Parameter;

fn function(text: &str) -> MainFn {
    match item::parse(text.parse().unwrap()) {
        Item::Function(function) => *function,
        Item::Other(other) => panic!("{text} is parsed as {}", other.what),
    }
}

/// Tokens as text, independent of how a printer spaces them.
fn tight(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string().replace(' ', "")
}

fn path(attribute: &Attribute) -> String {
    tight(attribute.path())
}

/// The parameters, each as its kind.
fn parameters(text: &str) -> Vec<String> {
    let parameters = function(text).signature.parameters.into_iter();
    parameters
        .map(|parameter| match parameter {
            Parameter::Typed { ty, .. } => match *ty {
                Type::Verbatim(ty) => format!("verbatim {}", tight(&ty)),
                ty => format!("typed {}", tight(&ty)),
            },
            Parameter::Receiver(_) => "receiver".to_owned(),
            Parameter::Variadic(_) => "variadic".to_owned(),
            Parameter::Untyped(_) => "untyped".to_owned(),
        })
        .collect()
}

/// The arguments, each as `name=value` or `value`.
fn arguments(text: &str) -> Vec<String> {
    arguments::parse(text.parse().unwrap())
        .into_iter()
        .map(|argument| match argument {
            Argument::Named { name, value } => format!("{name}={}", tight(&value.tokens)),
            Argument::Unnamed(expression) => tight(&expression.tokens),
            Argument::Missing(_) => "missing".to_owned(),
        })
        .collect()
}

/// The form of the only argument.
fn form(text: &str) -> &'static str {
    let arguments = arguments::parse(text.parse().unwrap());
    assert_eq!(arguments.len(), 1, "{text}");
    match arguments.into_iter().next() {
        Some(Argument::Unnamed(expression)) => match expression.form {
            Form::Literal(_) => "literal",
            Form::MethodOfLiteral { .. } => "method",
            Form::Path { name: Some(_) } => "name",
            Form::Path { name: None } => "path",
            Form::IncompletePath => "an incomplete path",
            Form::Call { name: Some(_), .. } => "call of a name",
            Form::Call { name: None, .. } => "call",
            Form::MacroCall => "macro call",
            Form::Closure => "closure",
            Form::Other => "other",
        },
        _ => panic!("{text} has a name"),
    }
}

#[test]
fn a_signature_is_parsed() {
    let MainFn { signature, body } = function(
        "/// Doc.\n#[tokio::main(flavor = \"x\")] pub(crate) async unsafe extern \"C\" fn main<T: Into<U>, U>(b: Bound) -> Result<(), E<{ 1 }>> where T: Copy { body }",
    );
    assert_eq!(signature.attributes.len(), 2);
    assert_eq!(path(&signature.attributes[1]), "tokio::main");
    assert_eq!(tight(&signature.visibility), "pub(crate)");
    assert!(signature.asyncness().is_some());
    assert_eq!(signature.qualifiers.len(), 3);
    assert_eq!(tight(&signature.generics), "<T:Into<U>,U>");
    assert_eq!(tight(&signature.output_type()), "Result<(),E<{1}>>");
    assert_eq!(tight(&signature.generics.where_clause), "whereT:Copy");
    assert_eq!(body.unwrap().stream().to_string(), "body");
}

#[test]
fn the_type_of_a_parameter_follows_its_first_lone_colon() {
    assert_eq!(
        parameters("fn main(mut a: A, _: b::C<D, E>, F { g: h, .. }: F, i::J(k): fn(L) -> M,) {}"),
        ["typed A", "typed b::C<D,E>", "typed F", "typed fn(L)->M"]
    );
    assert_eq!(
        parameters("fn main(#[allow(unused)] a: &'static mut A) {}"),
        ["typed &'staticmutA"]
    );
    assert_eq!(
        parameters("fn main(self::A::<B, C>(d): self::A<B, C>, <E as F<G, H>>::I: J) {}"),
        ["typed self::A<B,C>", "typed J"]
    );
}

#[test]
fn any_type_is_kept() {
    // Without its feature `full`, which only the tests have, `syn` parses no such blocks.
    let types: Vec<_> =
        function("fn main(a: A<{ if b { 1 } else { 2 } }, C>, d: E<{ f(); 1 }>) {}")
            .signature
            .parameters
            .iter()
            .map(|parameter| tight(&parameter.ty()))
            .collect();
    assert_eq!(types, ["A<{ifb{1}else{2}},C>", "E<{f();1}>"]);
    assert_eq!(parameters("fn main(a: A, b: &) {}")[1], "verbatim &");
    assert_eq!(
        parameters("fn main(a: A<, b: B) {}"),
        ["verbatim A<", "typed B"]
    );
}

#[test]
fn receivers_and_variadic_parameters_are_recognized() {
    assert_eq!(
        parameters("fn main(&'a mut self, mut self: Box<Self>, self, a: self::A) {}"),
        ["receiver", "receiver", "receiver", "typed self::A"]
    );
    assert_eq!(parameters("fn main(a: A, ...) {}")[1], "variadic");
    assert_eq!(parameters("fn main(a: A, mut args: ...) {}")[1], "variadic");
}

#[test]
fn half_typed_parameters_are_parsed() {
    assert_eq!(parameters("fn main(bound) {}"), ["untyped"]);
    assert_eq!(parameters("fn main(bound:) {}"), ["untyped"]);
    assert_eq!(parameters("fn main(bound: Bound, inde) {}")[1], "untyped");
}

#[test]
fn a_half_typed_return_type_stays_its_tokens() {
    let output = |text: &str| tight(&function(text).signature.output);
    assert_eq!(output("fn main(b: Bound) -> io:: {}"), "->io::");
    assert_eq!(output("fn main(b: Bound) -> Result<(), {}"), "->Result<(),");
    assert_eq!(output("fn main(b: Bound) -> {}"), "->");
    assert_eq!(output("fn main(b: Bound) {}"), "");
}

#[test]
fn inner_attributes_of_the_body_are_found() {
    let main = function("fn main() { #![allow(x)] #![unsafe(no_mangle)] #[inner] fn f() {} }");
    let inner: Vec<_> = main.inner_attributes().iter().map(path).collect();
    assert_eq!(inner, ["allow", "unsafe"]);
    let after_a_comment = function("fn main() {\n    // What for?\n    #![no_mangle]\n}");
    assert_eq!(after_a_comment.inner_attributes().len(), 1);
    assert!(function("fn main() {}").inner_attributes().is_empty());
    assert!(function("fn main();").inner_attributes().is_empty());
}

#[test]
fn all_conditions_of_a_parameter_are_found() {
    let main = function(
        "fn main(#[cfg(a)] #[allow(b)] #[cfg_attr(c, cfg(d), allow(e), cfg_attr(f, cfg(g)))] _: B) {}",
    );
    let conditions = main.signature.parameters[0].conditions();
    let conditions: Vec<_> = conditions.iter().map(tight).collect();
    assert_eq!(
        conditions,
        ["a", "any(not(c),d)", "any(not(c),any(not(f),g))"]
    );
}

#[test]
fn an_item_that_is_not_a_function_is_named() {
    for (text, wanted) in [
        ("struct A;", "a struct"),
        ("struct A { b: C }", "a struct"),
        ("pub enum A {}", "an enum"),
        ("union A { b: C }", "a union"),
        ("unsafe trait A {}", "a trait"),
        ("impl A {}", "an impl"),
        ("mod a {}", "a module"),
        ("const A: u8 = 1;", "a const"),
        ("static A: u8 = 1;", "a static"),
        ("|| 1", "a closure"),
        ("move || 1", "a closure"),
        ("macro_rules! a { () => {} }", "a macro"),
        ("include!(\"x\");", "a macro call"),
        ("std::include!(\"x\");", "a macro call"),
        ("fn", "an incomplete function"),
        ("fn main", "an incomplete function"),
        ("fn main(, bound: Bound) {}", "an incomplete function"),
        ("#[a::] fn main(bound: Bound) {}", "an incomplete item"),
        ("unsafe", "an item that is not a function"),
        ("{}", "a block"),
        ("", "nothing"),
    ] {
        match item::parse(text.parse().unwrap()) {
            Item::Other(other) => assert_eq!(other.what, wanted, "{text}"),
            Item::Function(_) => panic!("{text} is parsed as a function"),
        }
    }
}

#[test]
fn a_function_without_a_body_is_a_function() {
    assert!(function("fn main(bound: Bound);").body.is_none());
    assert!(function("fn main(bound: Bound)").body.is_none());
}

/// What a `macro_rules!` fragment leaves behind.
fn invisible(text: &str) -> TokenStream {
    let group = Group::new(Delimiter::None, text.parse().unwrap());
    TokenTree::from(group).into()
}

#[test]
fn invisible_groups_are_transparent() {
    let (visibility, ty) = (invisible("pub"), invisible("a::B<C, D>"));
    let (nothing, body) = (invisible(""), invisible("{ body }"));
    for item in [
        invisible("pub fn main(a: a::B<C, D>) -> a::B<C, D> { body }"),
        quote::quote!(#visibility fn main(a: #ty) -> #ty #body),
        quote::quote!(#[a] pub fn main(a: #ty) -> #ty #body),
    ] {
        let Item::Function(main) = item::parse(item) else {
            panic!("not parsed as a function")
        };
        assert_eq!(tight(&main.signature.visibility), "pub");
        let types = [
            main.signature.parameters[0].ty(),
            main.signature.output_type(),
        ];
        for ty in types.map(Option::unwrap) {
            assert_eq!(tight(&super::types::bare(ty)), "a::B<C,D>");
        }
        assert_eq!(main.body.unwrap().stream().to_string(), "body");
    }
    let Item::Function(main) = item::parse(quote::quote!(#nothing fn main(a: #ty) {})) else {
        panic!("not parsed as a function")
    };
    assert!(matches!(main.signature.visibility, Visibility::Inherited));
    let literal = arguments::parse(invisible("\"a\""));
    let Some(Argument::Unnamed(expression)) = literal.first() else {
        panic!("not parsed as a literal")
    };
    assert!(matches!(expression.form, Form::Literal(_)));
}

#[test]
fn no_argument_is_no_argument() {
    assert!(arguments("").is_empty());
}

#[test]
fn a_comma_separates_arguments_or_follows_the_last_one() {
    assert_eq!(
        arguments(r#""a", cli = cli, help = include_str!("x"),"#),
        [r#""a""#, "cli=cli", r#"help=include_str!("x")"#]
    );
    assert_eq!(arguments("a,, b = c"), ["a", "missing", "b=c"]);
    assert_eq!(arguments(","), ["missing"]);
}

#[test]
fn a_comma_in_angle_brackets_is_part_of_the_expression() {
    assert_eq!(arguments("<A as B<C, D>>::DAEMON, cli = x").len(), 2);
    assert_eq!(arguments("a::<B, C>(), cli = x").len(), 2);
    assert_eq!(arguments("a::<fn(A) -> B, C>(), cli = x").len(), 2);
    assert_eq!(arguments("a.b::<C, D>(), cli = x").len(), 2);
}

#[test]
fn a_comparison_is_not_an_angle_bracket() {
    assert_eq!(arguments("A < B, cli = x").len(), 2);
    assert_eq!(
        arguments("if A < B { C } else { D }, help = if E > F { g } else { h }").len(),
        2
    );
    assert_eq!(arguments("A == B, cli = x").len(), 2);
    assert!(arguments("A == B")[0].starts_with("A=="));
}

#[test]
fn an_option_may_lack_its_value() {
    assert_eq!(arguments("cli ="), ["cli="]);
    assert_eq!(arguments("cli"), ["cli"]);
}

#[test]
fn the_name_of_an_option_may_be_a_keyword() {
    assert_eq!(arguments("crate = ::renamed"), ["crate=::renamed"]);
}

#[test]
fn the_form_of_an_expression_is_known() {
    for (text, wanted) in [
        ("\"a\"", "literal"),
        ("42", "literal"),
        ("\"a\".b()", "method"),
        ("\"a\" + b", "other"),
        ("a", "name"),
        ("::a", "path"),
        ("a::b", "path"),
        ("<A<B> as C>::d::<{ if e { 1 } else { 2 } }>", "path"),
        ("a::", "an incomplete path"),
        ("<A as B>", "an incomplete path"),
        ("a(b, c)", "call of a name"),
        ("a::b()", "call"),
        ("a().b()", "call"),
        ("a!()", "macro call"),
        ("|| a", "closure"),
        ("move || a", "closure"),
        ("a + b", "other"),
        ("{ a }", "other"),
    ] {
        assert_eq!(form(text), wanted, "{text}");
    }
}
