//! The quoting: what a checked `main` becomes. No rules here.
//!
//! Names that the compiler may have something to say about are resolved at the call site and *located at* the user's
//! type or literal, so that its errors point there. The body, and all that stays of the signature, keep the spans that
//! they have.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use crate::check::{
    Daemon, Help, Mistake, Options, PRIVATE_NAME, calls_from_elsewhere, goes_outside, is_ours,
    may_rewrite,
};
use crate::main_fn::{Attribute, MainFn, Parameter, is_ident, is_punct};

/// The `main` that binds first.
pub(crate) fn daemon(options: Options, main: &MainFn) -> TokenStream {
    let runtime = options
        .runtime
        .unwrap_or_else(|| quote!(::brokered_runtime));
    let program = program(&runtime, options.daemon, options.cli, options.help);
    let place = place(&runtime, main.name.span());
    let call = call(&runtime, main);
    let (outside, inside): (Vec<_>, Vec<_>) = main
        .attributes
        .iter()
        .partition(|attribute| goes_outside(attribute));
    let name = private_name(main);
    let user_main = user_main(main, &inside, &name);
    let allowed = allowed(&outside);
    let outer_name = &main.name;
    let bound = bound_variable();
    quote! {
        #(#outside)*
        fn #outer_name() -> #runtime::attribute::Exit {
            #place
            #runtime::attribute::run(#program, |#bound| {
                #[allow(#allowed)]
                #user_main
                #call
            })
        }
    }
}

/// What is known of the program, as a constant: nothing in it runs before the endpoint is bound. Not even where
/// `::core` is made to be something else than it is.
fn program(
    runtime: &TokenStream,
    daemon: Daemon,
    cli: Option<TokenStream>,
    help: Help,
) -> TokenStream {
    let daemon = match daemon {
        Daemon::Name(name) => {
            let new = around(
                runtime,
                &quote!(<),
                &quote!(::Daemon > ::new),
                at(name.span()),
            );
            quote!(#new(#name))
        }
        Daemon::Expression(expression) => daemon_argument(runtime, &expression),
    };
    let (help, text) = match help {
        Help::Generated => (quote!(), quote!()),
        Help::Nothing => (quote!(.without_help()), quote!()),
        Help::Text(text) => (quote!(.help), text),
    };
    let in_sight = quote!(#daemon #text #cli #runtime);
    let name = unused_name("DAEMON_ARGUMENT", &in_sight);
    let daemon = constant(&name, &quote!(#runtime::Daemon), &daemon);
    let (help, text) = if text.is_empty() {
        (help, text)
    } else {
        let name = unused_name("HELP_ARGUMENT", &in_sight);
        let text = constant(&name, &quote!(#runtime::attribute::HelpText), &text);
        (quote!(#help(#name)), text)
    };
    let cli = cli.map(|path| cli_call(runtime, &path));
    quote! {
        {
            #daemon
            #text
            const {
                #runtime::attribute::Program::new(
                    #name,
                    #runtime::attribute::option_env!("CARGO_PKG_NAME"),
                    #runtime::attribute::option_env!("CARGO_PKG_VERSION"),
                    #runtime::attribute::option_env!("CARGO_PKG_DESCRIPTION"),
                )
                #help
                #cli
            }
        }
    }
}

/// The daemon that an expression evaluates to. If it has another type, the compiler says so at the user's tokens, in the
/// words of a trait.
fn daemon_argument(runtime: &TokenStream, expression: &TokenStream) -> TokenStream {
    if never_has_a_value(expression) {
        return expression.clone();
    }
    let (first, last) = ends_of(expression);
    let new = around(
        runtime,
        &quote!(<),
        &quote!(::attribute::Argument < _ >> ::new),
        at(first),
    );
    // The error is about this path, which therefore begins and ends where the expression does.
    let (colons, path): (TokenStream, TokenStream) = {
        let is_colon = |token: &TokenTree| is_punct(token, ':');
        let tokens = runtime.clone().into_iter();
        (
            tokens.clone().take_while(is_colon).collect(),
            tokens.skip_while(is_colon).collect(),
        )
    };
    let colons = respanned(colons, first);
    let name = below(&quote!(::attribute::DaemonArgument::TYPE), last);
    let ty = quote!(#colons #path #name);
    let argument = in_brackets(expression);
    let daemon = quote_spanned!(at(last)=> .daemon());
    quote!(#new(#ty, #argument) #daemon)
}

/// Whether an expression ends the evaluation at its first word: the compiler would call the check of its type
/// unreachable.
fn never_has_a_value(expression: &TokenStream) -> bool {
    const WORDS: [&str; 7] = [
        "break",
        "continue",
        "panic",
        "return",
        "todo",
        "unimplemented",
        "unreachable",
    ];
    let first = expression.clone().into_iter().next();
    first.is_some_and(|first| WORDS.iter().any(|word| is_ident(&first, word)))
}

/// Calls the function at `path`. What can't be called takes another method of the same name, so that the compiler can
/// say what `cli` has to be.
fn cli_call(runtime: &TokenStream, path: &TokenStream) -> TokenStream {
    // Wholly the user's own position: the errors are about nothing else.
    let span = span_of(path);
    let exit_code = around(
        runtime,
        &quote!(<_ as),
        &quote!(::attribute::MainReturn > ::exit_code_of),
        span,
    );
    let outcome = around(
        runtime,
        &quote!(<_ as),
        &quote!(::attribute::CliFunction < _ >> ::outcome),
        span,
    );
    let cli = around(
        runtime,
        &quote!(<),
        &quote!(::attribute::Cli < _ >> ::new),
        span,
    );
    let call = quote_spanned!(span=> .call());
    quote!(.cli(&|| #exit_code(#outcome(#cli(#path) #call))))
}

/// `expression`, evaluated by the compiler.
fn constant(name: &Ident, ty: &TokenStream, expression: &TokenStream) -> TokenStream {
    let expression = in_brackets(expression);
    quote!(const #name: #ty = #expression;)
}

/// The brackets keep a `;` in the expression from ending it.
fn in_brackets(expression: &TokenStream) -> Group {
    let mut expression = Group::new(Delimiter::Parenthesis, expression.clone());
    expression.set_span(at(span_of(&expression.stream())));
    expression
}

/// Two facts that the compiler checks: the process starts here, and this is no library. The closures are never called.
///
/// Where the root has no `main` at all, the glob gives none, and `main` is this one: the compiler says by itself that
/// it is missing.
fn place(runtime: &TokenStream, span: Span) -> TokenStream {
    // Wholly the user's own position: the errors are about nothing else.
    let starts = around(
        runtime,
        &quote!(<_ as),
        &quote!(::attribute::ProcessEntry > ::check(main)),
        span,
    );
    let is_library = quote! {
        {
            #runtime::attribute::is_library(
                #runtime::attribute::module_path!(),
                #runtime::attribute::option_env!("CARGO_CRATE_NAME"),
                #runtime::attribute::option_env!("CARGO_BIN_NAME"),
                #runtime::attribute::option_env!("CARGO_TARGET_TMPDIR"),
            )
        }
    };
    let target = around(runtime, &quote!(<<), &quote!(::attribute::Target), span);
    let kind = around(
        runtime,
        &quote!(as),
        &quote!(::attribute::TargetKind > ::Kind as),
        span,
    );
    let checked = around(
        runtime,
        &quote!(),
        &quote!(::attribute::BinaryTarget > ::CHECKED),
        span,
    );
    let open = quote_spanned!(span=> <);
    let close = quote_spanned!(span=> >);
    let checked = quote!(#target #open #is_library #close #kind #checked);
    quote! {
        const _: fn() = || {
            use crate::*;
            #starts
        };
        const _: () = #checked;
    }
}

/// The user's function, under a name of its own: below an executor's attribute, `main` could not take parameters.
fn user_main(main: &MainFn, attributes: &[&Attribute], name: &Ident) -> TokenStream {
    let MainFn {
        fn_token,
        generics,
        parameters,
        output,
        where_clause,
        body,
        ..
    } = main;
    let qualifiers = main.qualifiers.iter().map(|qualifier| &qualifier.tokens);
    quote! {
        #(#attributes)*
        #(#qualifiers)* #fn_token #name #generics #parameters #output #where_clause #body
    }
}

/// Loads what the user's function takes, and calls it; in as many ways as there are for its conditional parameters to
/// be there or not, since an argument can't be conditional.
fn call(runtime: &TokenStream, main: &MainFn) -> TokenStream {
    let conditional = main
        .taken
        .iter()
        .filter(|parameter| !parameter.conditions().is_empty())
        .count();
    if conditional == 0 {
        return call_with(runtime, main, &main.taken.iter().collect::<Vec<_>>());
    }
    (0..1_usize << conditional)
        .map(|configuration| {
            let mut index = 0;
            let mut conditions = TokenStream::new();
            let taken: Vec<_> = main
                .taken
                .iter()
                .filter(|parameter| {
                    let all = parameter.conditions();
                    if all.is_empty() {
                        return true;
                    }
                    let is_there = configuration & (1 << index) != 0;
                    index += 1;
                    conditions.extend(if is_there {
                        quote!(all(#(#all),*),)
                    } else {
                        quote!(not(all(#(#all),*)),)
                    });
                    is_there
                })
                .collect();
            let call = call_with(runtime, main, &taken);
            quote!(#[cfg(all(#conditions))] { #call })
        })
        .collect()
}

/// The same for the parameters that are there.
fn call_with(runtime: &TokenStream, main: &MainFn, taken: &[&Parameter]) -> TokenStream {
    let name = private_name(main);
    // What is half typed has no type yet: it is whatever the compiler makes of it.
    let mut taken = taken
        .iter()
        .map(|parameter| parameter.ty().cloned().unwrap_or_else(|| quote!(_)));
    let bound = taken.next().map(|ty| {
        let take = probe(
            runtime,
            &ty,
            &quote!(::attribute::FirstParameter > ::after_loading),
        );
        let bound = bound_variable();
        quote!(#take(#bound))
    });
    let (names, loads): (Vec<_>, Vec<_>) = taken
        .enumerate()
        .map(|(index, ty)| {
            let name = Ident::new(&format!("__brokered_state_{index}"), Span::mixed_site());
            let load = load(runtime, &ty);
            let load = quote!(let #name = #load?;);
            (name, load)
        })
        .unzip();
    let arguments = bound
        .into_iter()
        .chain(names.iter().map(|name| quote!(#name)));
    let called = quote!(#name(#(#arguments),*));
    // What never returns can't be handed on: the compiler would call the rest unreachable.
    let ended = if is_never(main) {
        quote!(match #called {})
    } else {
        let ended = probe(
            runtime,
            &returned(main),
            &quote!(::attribute::MainReturn > ::exit_code_after_loading),
        );
        quote!(#ended(#called))
    };
    quote! {
        #(#loads)*
        #ended
    }
}

/// Loads one state. Both paths are exactly where the user has written the type: the compiler tells the same error of the
/// same place only once.
fn load(runtime: &TokenStream, ty: &TokenStream) -> TokenStream {
    let (first, last) = ends_of(ty);
    let ty = closed(ty);
    let open = quote_spanned!(first=> <);
    let method = around(runtime, &quote!(as), &quote!(::State > ::load), last);
    let load = around(runtime, &quote!(), &quote!(::attribute::load), first);
    let bound = bound_variable();
    quote!(#load(#open #ty #method, &#bound))
}

/// `<ty as runtime::path>::item`: if the type lacks the trait, the compiler says so at the type.
fn probe(runtime: &TokenStream, ty: &TokenStream, item: &TokenStream) -> TokenStream {
    let span = at(span_of(ty));
    let ty = closed(ty);
    let open = quote_spanned!(span=> <);
    let rest = around(runtime, &quote!(as), item, span);
    quote!(#open #ty #rest)
}

/// A type that may stand before `as`: `A + B` is one only in brackets. One with a block in it, `A<{ b() }>` or `[A; b()]`, is left to
/// be inferred: the compiler would tell twice what is wrong in the block.
fn closed(ty: &TokenStream) -> TokenStream {
    if mentions_block(ty) {
        return quote_spanned!(span_of(ty)=> _);
    }
    if !ty.clone().into_iter().any(|token| is_punct(&token, '+')) {
        return ty.clone();
    }
    let mut group = Group::new(Delimiter::Parenthesis, ty.clone());
    group.set_span(span_of(ty));
    TokenTree::from(group).into()
}

/// `before runtime after`, located at `span`, all but the path to the runtime: where that leads nowhere, the compiler
/// says the same of the same place each time, and so it says it once.
fn around(
    runtime: &TokenStream,
    before: &TokenStream,
    after: &TokenStream,
    span: Span,
) -> TokenStream {
    let before = respanned(before.clone(), span);
    let after = below(after, span);
    quote!(#before #runtime #after)
}

/// What follows the path to the runtime, located at `span`. Its first name comes from the expansion, so that no lint
/// judges the path to the runtime once more wherever it is repeated.
fn below(after: &TokenStream, span: Span) -> TokenStream {
    let mut is_first = true;
    respanned(after.clone(), span)
        .into_iter()
        .map(|mut token| {
            if is_first && matches!(token, TokenTree::Ident(_)) {
                is_first = false;
                token.set_span(at(span));
            }
            token
        })
        .collect()
}

/// `-> !`
fn is_never(main: &MainFn) -> bool {
    let mut ty = main.output_type().into_iter();
    ty.next().is_some_and(|token| is_punct(&token, '!')) && ty.next().is_none()
}

/// The type that the user's function returns, where it can be written down here and no other attribute may change it.
fn returned(main: &MainFn) -> TokenStream {
    let ty = main.output_type();
    let is_written = !ty.is_empty()
        && !mentions(&ty, |token| is_ident(token, "impl") || is_punct(token, '!'))
        && !main.attributes.iter().any(may_rewrite);
    let span = if ty.is_empty() {
        main.name.span()
    } else {
        span_of(&ty)
    };
    if is_written {
        ty
    } else {
        quote_spanned!(at(span)=> _)
    }
}

/// Where something is wrong: the errors, and an item in which the user's code is still itself, so that the errors are
/// the only ones.
pub(crate) fn broken_main(mistakes: &[Mistake], main: &MainFn) -> TokenStream {
    let errors = errors(mistakes);
    let attributes: Vec<_> = main
        .attributes
        .iter()
        .filter(|attribute| !is_ours(attribute) && calls_from_elsewhere(attribute).is_none())
        .collect();
    if main.name != "main" {
        let visibility = &main.visibility;
        let function = user_main(main, &[], &main.name);
        let no_body = main.body.is_none().then(|| quote!({ loop {} }));
        return quote!(#errors #(#attributes)* #visibility #function #no_body);
    }
    let (outside, inside): (Vec<_>, Vec<_>) = attributes
        .into_iter()
        .partition(|attribute| goes_outside(attribute));
    let function = believable(main, &inside);
    let name = &main.name;
    quote! {
        #errors
        #(#outside)*
        fn #name() {
            #function
        }
    }
}

/// The user's function without what no function may have, so that what it names is still named.
fn believable(main: &MainFn, attributes: &[&Attribute]) -> TokenStream {
    let MainFn {
        fn_token,
        generics,
        output,
        where_clause,
        ..
    } = main;
    let qualifiers = main
        .qualifiers
        .iter()
        .filter(|qualifier| qualifier.name == "async" || qualifier.name == "unsafe");
    let qualifiers = qualifiers.map(|qualifier| &qualifier.tokens);
    let name = private_name(main);
    let parameters = main.taken.iter().filter_map(|parameter| match parameter {
        // What is half typed, too: an editor has to find the cursor in it.
        Parameter::Typed { tokens, .. } | Parameter::Untyped(tokens) => Some(tokens),
        Parameter::Receiver(_) | Parameter::Variadic(_) => None,
    });
    let receives = main
        .taken
        .iter()
        .any(|parameter| matches!(parameter, Parameter::Receiver(_)));
    // A body that speaks of `self` makes no sense here.
    let (allow, body) = match &main.body {
        Some(body) if !receives => (quote!(dead_code), body.to_token_stream()),
        _ => (quote!(dead_code, unused_variables), quote!({ loop {} })),
    };
    quote! {
        #[allow(#allow)]
        #(#attributes)*
        #(#qualifiers)* #fn_token #name #generics(#(#parameters),*) #output #where_clause #body
    }
}

/// Each mistake as an error of the compiler's, at the user's tokens.
pub(crate) fn errors(mistakes: &[Mistake]) -> TokenStream {
    mistakes
        .iter()
        .map(
            |Mistake {
                 message,
                 start,
                 end,
             }| {
                let message = message.to_string();
                let path = quote_spanned!(*start=> ::core::compile_error!);
                let message = quote_spanned!(*end=> { #message });
                quote!(#path #message)
            },
        )
        .collect()
}

/// The lints that would complain of how the attribute calls the user's function: once, and with values. A level that the
/// user has set for the latter, above the function, is respected.
fn allowed(attributes: &[&Attribute]) -> TokenStream {
    let is_set = attributes.iter().any(|attribute| {
        let tokens = &attribute.tokens;
        let names = |name| mentions(tokens, |token| is_ident(token, name));
        names("needless_pass_by_value") || names("expect") && names("pedantic")
    });
    if is_set {
        quote!(clippy::single_call_fn)
    } else {
        quote!(clippy::needless_pass_by_value, clippy::single_call_fn)
    }
}

/// The variable that holds the proof. The user's code can't see it, but a constant of this name would be a pattern.
fn bound_variable() -> Ident {
    Ident::new("__brokered_bound", Span::mixed_site())
}

/// What the user's function is called inside.
fn private_name(main: &MainFn) -> Ident {
    Ident::new(PRIVATE_NAME, main.name.span())
}

/// A name that none of `tokens` is.
fn unused_name(name: &str, tokens: &TokenStream) -> Ident {
    let mut name = name.to_owned();
    while mentions(tokens, |token| is_ident(token, &name)) {
        name.push('_');
    }
    Ident::new(&name, Span::call_site())
}

/// Whether `wanted` is true of a token, however deep.
fn mentions(tokens: &TokenStream, wanted: impl Fn(&TokenTree) -> bool + Copy) -> bool {
    tokens.clone().into_iter().any(|token| match &token {
        TokenTree::Group(group) => mentions(&group.stream(), wanted),
        token => wanted(token),
    })
}

/// Whether there is a block, or an array with a computed length, however deep.
fn mentions_block(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => {
            let is_computed = match group.delimiter() {
                Delimiter::Brace => true,
                Delimiter::Bracket => has_computed_length(&group.stream()),
                _ => false,
            };
            is_computed || mentions_block(&group.stream())
        }
        _ => false,
    })
}

/// Whether the length in `A; length` is more than a literal or a path.
fn has_computed_length(array: &TokenStream) -> bool {
    array
        .clone()
        .into_iter()
        .skip_while(|token| !is_punct(token, ';'))
        .skip(1)
        .any(|token| match &token {
            TokenTree::Group(_) => true,
            TokenTree::Punct(punct) => punct.as_char() != ':',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        })
}

/// All of `tokens` at `span`.
fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut group = Group::new(group.delimiter(), respanned(group.stream(), span));
                group.set_span(span);
                group.into()
            }
            mut token => {
                token.set_span(span);
                token
            }
        })
        .collect()
}

/// Resolved at the call site, reported at `span`.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// From the first token to the last, as far as stable Rust can join them.
fn span_of(tokens: &TokenStream) -> Span {
    let (first, last) = ends_of(tokens);
    first.join(last).unwrap_or(first)
}

/// The first token's span, and the last one's.
fn ends_of(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

impl ToTokens for Attribute {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use crate::attribute::expanded;

    const ARGUMENTS: &[&str] = &[
        "\"hello\"",
        "DAEMON, cli = a::b::<C>, help = none, crate = ::renamed,",
        "<A as B<C, D>>::E, help = include_str!(\"x\")",
        "",
        "\"Hello\", cly = a, cli, cli = b(), ; start",
        "state = || a, < > - > :: = == =>",
    ];

    const ITEMS: &[&str] = &[
        "fn main(bound: Bound) {}",
        "/// Doc.\n#[allow(x)] #[tokio::main] async fn main(mut bound: Bound, A { b, .. }: A<B, fn(C) -> D>) -> Result<(), E<{ 1 }>> { #![x] let half = }",
        "fn main(_: Bound, #[x] a: &'static A) -> ! { loop {} }",
        "fn main(_: Bound) -> impl Termination {}",
        "pub const unsafe extern \"C\" fn start<'a, T: A<B>>(&'a mut self, x: impl A, _: ...) -> A where T: A {}",
        "#[brokered_daemon(\"b\")] async fn main();",
        "impl A { fn main() {} }",
    ];

    fn expand(arguments: &str, item: &str) -> String {
        expanded(&arguments.parse().unwrap(), &item.parse().unwrap()).to_string()
    }

    fn tight(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }

    #[test]
    fn what_comes_out_is_rust() {
        for arguments in ARGUMENTS {
            for item in ITEMS.iter().filter(|item| !item.contains("half")) {
                let text = expand(arguments, item);
                if let Err(error) = syn::parse_str::<syn::File>(&text) {
                    panic!("{arguments}\n{item}\n{error} in\n{text}");
                }
            }
        }
    }

    #[test]
    fn the_function_is_declared_inside_the_closure_and_its_body_is_untouched() {
        let text = tight(&expand(
            "\"hello\"",
            "fn main(bound: Bound) -> A { let half = ; }",
        ));
        assert!(text.contains("|__brokered_bound|{#[allow(clippy::needless_pass_by_value,clippy::single_call_fn)]fn__brokered_main(bound:Bound)->A{lethalf=;}"), "{text}");
    }

    #[test]
    fn cfg_doc_and_lint_levels_go_outside_and_all_others_stay_in_order() {
        let text = tight(&expand(
            "\"hello\"",
            "#[a] /** d */ #[b] #[cfg(c)] #[allow(l)] #[expect(m)] #[cfg_attr(f, g)] #[h::doc] fn main(bound: Bound) {}",
        ));
        assert!(
            text.starts_with("#[doc=\"d\"]#[cfg(c)]#[allow(l)]#[expect(m)]fnmain()->"),
            "{text}"
        );
        assert!(
            text.contains("#[a]#[b]#[cfg_attr(f,g)]#[h::doc]fn__brokered_main"),
            "{text}"
        );
    }

    #[test]
    fn a_level_that_the_user_has_set_is_respected() {
        let allows = |above: &str| {
            let text = tight(&expand(
                "\"hello\"",
                &format!("{above} fn main(bound: Bound) {{}}"),
            ));
            text.contains("#[allow(clippy::needless_pass_by_value,")
        };
        assert!(allows(""));
        assert!(allows(
            "#[deny(clippy::pedantic)] #[expect(clippy::nursery)]"
        ));
        assert!(allows("#[doc = \"needless_pass_by_value\"]"));
        assert!(!allows("#[expect(clippy::needless_pass_by_value)]"));
        assert!(!allows("#[forbid(clippy::needless_pass_by_value)]"));
        assert!(!allows("#[expect(clippy::pedantic)]"));
    }

    #[test]
    fn arguments_are_evaluated_by_the_compiler_and_cli_is_called_in_its_branch() {
        let text = tight(&expand("DAEMON, cli = a::cli, help = b", ITEMS[0]));
        assert!(
            text.contains("constDAEMON_ARGUMENT:::brokered_runtime::Daemon=(<::brokered_runtime::attribute::Argument<_>>::new(::brokered_runtime::attribute::DaemonArgument::TYPE,(DAEMON)).daemon());"),
            "{text}"
        );
        assert!(
            text.contains("constHELP_ARGUMENT:::brokered_runtime::attribute::HelpText=(b);"),
            "{text}"
        );
        assert!(
            text.contains("<::brokered_runtime::attribute::Cli<_>>::new(a::cli).call()"),
            "{text}"
        );
    }

    #[test]
    fn a_const_of_the_same_name_is_still_the_users() {
        let text = tight(&expand("f(DAEMON_ARGUMENT)", ITEMS[0]));
        assert!(text.contains("constDAEMON_ARGUMENT_:::brokered_runtime::Daemon=(<::brokered_runtime::attribute::Argument<_>>::new(::brokered_runtime::attribute::DaemonArgument::TYPE,(f(DAEMON_ARGUMENT)))"), "{text}");
    }

    #[test]
    fn nothing_generated_returns_unwraps_or_expects() {
        let text = tight(&expand(
            "DAEMON, cli = cli",
            "fn main(bound: Bound, a: A) -> B {}",
        ));
        for word in ["return", "unwrap", "expect", "unsafe"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn each_path_follows_the_renamed_runtime() {
        let text = tight(&expand(
            "\"a\", cli = cli, help = b, crate = ::renamed",
            "fn main(bound: Bound, a: A) -> B {}",
        ));
        assert!(
            text.contains("::renamed::") && !text.contains("brokered_runtime"),
            "{text}"
        );
    }

    #[test]
    fn a_mistake_leaves_the_users_function_in_place() {
        let text = tight(&expand(
            "",
            "#[allow(l)] #[a] pub fn main(bound: Bound) -> A { body }",
        ));
        assert!(text.contains("::core::compile_error!"), "{text}");
        assert!(text.contains("#[allow(l)]fnmain(){#[allow(dead_code)]#[a]fn__brokered_main(bound:Bound)->A{body}}"), "{text}");
    }
}
