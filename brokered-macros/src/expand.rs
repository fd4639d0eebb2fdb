//! The third stage: what a checked `main` becomes. Nothing is checked here.
//!
//! Names that a compiler error may point at are resolved at the call site, but *located at* the user's type or literal. The body
//! and what stays of the signature keep their spans.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use syn::Attribute;

use crate::check::attributes::{goes_outside, is_ours, makes_callable, may_rewrite};
use crate::check::{Daemon, Help, INNER_NAME, Mistake, Options};
use crate::parse::item::{MainFn, Qualifier, Signature};
use crate::parse::parameter::Parameter;

/// A `main` that binds the endpoint before it runs the user's function.
pub(crate) fn daemon(options: Options, main: &MainFn) -> TokenStream {
    let signature = &main.signature;
    let runtime = options
        .runtime
        .unwrap_or_else(|| quote!(::brokered_runtime));
    let program = program(&runtime, options.daemon, options.cli, options.help);
    let position = position(&runtime, signature.name.span());
    let call = call(&runtime, signature);
    let (outside, inside): (Vec<_>, Vec<_>) = signature
        .attributes
        .iter()
        .partition(|attribute| goes_outside(attribute));
    let user_main = user_main(main, &inside, &inner_name(signature));
    let allowed = allowed(&outside);
    let outer_name = &signature.name;
    let bound = bound_variable();
    quote! {
        #(#outside)*
        fn #outer_name() -> #runtime::attribute::Exit {
            #position
            #runtime::attribute::run(#program, |#bound| {
                #[allow(#allowed)]
                #user_main
                #call
            })
        }
    }
}

/// The program's properties, as a constant, so that no code runs before the endpoint is bound. The macros come from the runtime,
/// because the user's crate may have another crate called `core`.
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
        Help::Disabled => (quote!(.without_help()), quote!()),
        Help::Text(text) => (quote!(.help), text),
    };
    let user_tokens = quote!(#daemon #text #cli #runtime);
    let name = unused_name("DAEMON_ARGUMENT", &user_tokens);
    let daemon = constant(&name, &quote!(#runtime::Daemon), &daemon);
    let (help, text) = if text.is_empty() {
        (help, text)
    } else {
        let name = unused_name("HELP_ARGUMENT", &user_tokens);
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
                .panics_abort(#runtime::attribute::cfg!(panic = "abort"))
                #help
                #cli
            }
        }
    }
}

/// The daemon that an expression evaluates to. If the expression has another type, the compiler reports it at the user's tokens,
/// with the message of a trait.
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
    // The error is about this path, so it begins and ends where the expression does.
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
    let argument = in_parentheses(expression);
    let daemon = quote_spanned!(at(last)=> .daemon());
    quote!(#new(#ty, #argument) #daemon)
}

/// Whether the first word of an expression ends the evaluation. Then the compiler would warn that the check of its type is
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

/// Calls the function at `path`. For anything that cannot be called, method resolution finds another method of the same name. Its
/// trait bound carries the message.
fn cli_call(runtime: &TokenStream, path: &TokenStream) -> TokenStream {
    // All tokens are located at the path, because every error is about it.
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

/// A constant, which the compiler evaluates.
fn constant(name: &Ident, ty: &TokenStream, expression: &TokenStream) -> TokenStream {
    let expression = in_parentheses(expression);
    quote!(const #name: #ty = #expression;)
}

/// In parentheses, the expression cannot contain a `;`.
fn in_parentheses(expression: &TokenStream) -> Group {
    let mut expression = Group::new(Delimiter::Parenthesis, expression.clone());
    expression.set_span(at(span_of(&expression.stream())));
    expression
}

/// Has the compiler check that the process starts with this `main`, and that the crate is not a library. The closure is never
/// called.
///
/// If the root module has no `main`, the glob import finds none, and `main` is this one. The compiler itself reports that the
/// root module has none.
fn position(runtime: &TokenStream, span: Span) -> TokenStream {
    // All tokens are located at the name, because every error is about it.
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

/// The user's function under another name, because an executor's attribute refuses a `main` with parameters.
fn user_main(main: &MainFn, attributes: &[&Attribute], name: &Ident) -> TokenStream {
    let MainFn { signature, body } = main;
    let Signature {
        qualifiers,
        fn_token,
        generics,
        parentheses,
        output,
        ..
    } = signature;
    let where_clause = &generics.where_clause;
    quote! {
        #(#attributes)*
        #(#qualifiers)* #fn_token #name #generics #parentheses #output #where_clause #body
    }
}

/// Loads the states and calls the user's function. The states wait in boxes, and leave them in a closure: its frame, which holds
/// them as arguments, then does not exist yet while they load.
///
/// There is one call for each combination of conditional parameters, because an argument cannot be conditional.
fn call(runtime: &TokenStream, signature: &Signature) -> TokenStream {
    let conditional = signature
        .parameters
        .iter()
        .filter(|parameter| !parameter.conditions().is_empty())
        .count();
    if conditional == 0 {
        return call_with(
            runtime,
            signature,
            &signature.parameters.iter().collect::<Vec<_>>(),
        );
    }
    (0..1_usize << conditional)
        .map(|configuration| {
            let mut index = 0;
            let mut conditions = TokenStream::new();
            let taken: Vec<_> = signature
                .parameters
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
            let call = call_with(runtime, signature, &taken);
            quote!(#[cfg(all(#conditions))] { #call })
        })
        .collect()
}

/// The call with these parameters.
fn call_with(runtime: &TokenStream, signature: &Signature, taken: &[&Parameter]) -> TokenStream {
    let name = inner_name(signature);
    // A half-typed parameter has no type yet.
    let mut taken = taken.iter().map(|parameter| {
        parameter
            .ty()
            .map_or_else(|| quote!(_), ToTokens::to_token_stream)
    });
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
        .chain(names.iter().map(|name| quote!(*#name)));
    let called = quote!(#name(#(#arguments),*));
    // If the function never returns, the compiler would warn that the rest is unreachable.
    let ended = if signature.never_returns() {
        quote!(match #called {})
    } else {
        let ended = probe(
            runtime,
            &returned(signature),
            &quote!(::attribute::MainReturn > ::exit_code_after_loading),
        );
        quote!(#ended(#called))
    };
    if names.is_empty() {
        return ended;
    }
    quote! {
        #(#loads)*
        #runtime::attribute::call_main(move || #ended)
    }
}

/// Loads one state. Both paths are located at the type, because the compiler reports the same error at the same position only
/// once.
fn load(runtime: &TokenStream, ty: &TokenStream) -> TokenStream {
    let (first, last) = ends_of(ty);
    let ty = closed(ty);
    let open = quote_spanned!(first=> <);
    let method = around(runtime, &quote!(as), &quote!(::State > ::load), last);
    let load = around(runtime, &quote!(), &quote!(::attribute::load), first);
    let bound = bound_variable();
    quote!(#load(#open #ty #method, &#bound))
}

/// `<ty as runtime::path>::item`. If the type does not implement the trait, the compiler reports it at the type.
fn probe(runtime: &TokenStream, ty: &TokenStream, item: &TokenStream) -> TokenStream {
    let span = at(span_of(ty));
    let ty = closed(ty);
    let open = quote_spanned!(span=> <);
    let rest = around(runtime, &quote!(as), item, span);
    quote!(#open #ty #rest)
}

/// The type in a form that is allowed before `as`, where `A + B` needs parentheses. A type with a block, such as `A<{ b() }>` or
/// `[A; b()]`, is inferred, because the compiler would report the errors in the block twice.
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

/// `before runtime after`, located at `span`. The path of the runtime keeps its position: if it does not resolve, the compiler
/// reports the same error at the same position only once.
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

/// What follows the path of the runtime, located at `span`. Its first name belongs to the expansion, so that no lint reports the
/// path again where it is repeated.
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

/// The return type of the user's function, unless it cannot be written here or another attribute may change it.
fn returned(signature: &Signature) -> TokenStream {
    let Some(ty) = signature.output_type() else {
        return quote_spanned!(at(signature.name.span())=> _);
    };
    let ty = ty.to_token_stream();
    let cannot_be_written = mentions(&ty, |token| is_ident(token, "impl") || is_punct(token, '!'));
    if cannot_be_written || signature.attributes.iter().any(may_rewrite) {
        return quote_spanned!(at(span_of(&ty))=> _);
    }
    ty
}

/// The error of an attribute that is not on a function, and the item as it is.
pub(crate) fn other_item(mistake: &Mistake, item: &TokenStream) -> TokenStream {
    let error = error(mistake);
    quote!(#error #item)
}

/// The errors, and a function that the compiler accepts, so that it reports no other errors.
pub(crate) fn broken_main(mistakes: &[Mistake], main: &MainFn) -> TokenStream {
    let signature = &main.signature;
    let errors = mistakes.iter().map(error);
    let attributes: Vec<_> = signature
        .attributes
        .iter()
        .filter(|attribute| !is_ours(attribute) && makes_callable(attribute).is_none())
        .collect();
    let name = &signature.name;
    if name != "main" {
        let visibility = &signature.visibility;
        let function = user_main(main, &[], name);
        let no_body = main.body.is_none().then(|| quote!({ loop {} }));
        return quote!(#(#errors)* #(#attributes)* #visibility #function #no_body);
    }
    let (outside, inside): (Vec<_>, Vec<_>) = attributes
        .into_iter()
        .partition(|attribute| goes_outside(attribute));
    let function = acceptable(main, &inside);
    quote! {
        #(#errors)*
        #(#outside)*
        fn #name() {
            #function
        }
    }
}

/// The user's function without what the compiler refuses in a function. What the body names is declared.
fn acceptable(main: &MainFn, attributes: &[&Attribute]) -> TokenStream {
    let signature = &main.signature;
    let qualifiers = (signature.qualifiers.iter()).filter(|qualifier| match qualifier {
        Qualifier::Async(_) => true,
        Qualifier::Extern(_) => false,
        Qualifier::Word(word) => word == "unsafe",
    });
    let parameters = (signature.parameters.iter()).filter_map(|parameter| match parameter {
        // Half-typed ones too: an editor looks for the cursor in them.
        Parameter::Typed { tokens, .. } | Parameter::Untyped(tokens) => Some(tokens),
        Parameter::Receiver(_) | Parameter::Variadic(_) => None,
    });
    let has_receiver =
        (signature.parameters.iter()).any(|parameter| matches!(parameter, Parameter::Receiver(_)));
    // A body that uses `self` cannot be compiled here.
    let (allow, body) = match &main.body {
        Some(body) if !has_receiver => (quote!(dead_code), body.to_token_stream()),
        _ => (quote!(dead_code, unused_variables), quote!({ loop {} })),
    };
    let Signature {
        fn_token,
        generics,
        output,
        ..
    } = signature;
    let where_clause = &generics.where_clause;
    let name = inner_name(signature);
    quote! {
        #[allow(#allow)]
        #(#attributes)*
        #(#qualifiers)* #fn_token #name #generics(#(#parameters),*) #output #where_clause #body
    }
}

/// A mistake as an error of the compiler, at the user's tokens.
fn error(mistake: &Mistake) -> TokenStream {
    let Mistake {
        message,
        start,
        end,
    } = mistake;
    let message = message.to_string();
    let path = quote_spanned!(*start=> ::core::compile_error!);
    let message = quote_spanned!(*end=> { #message });
    quote!(#path #message)
}

/// The lints that would report how the attribute calls the user's function: once, and with values. If the user has set a level for
/// the latter above the function, it stays.
fn allowed(attributes: &[&Attribute]) -> TokenStream {
    let is_set = attributes.iter().any(|attribute| {
        let tokens = attribute.to_token_stream();
        let names = |name| mentions(&tokens, |token| is_ident(token, name));
        names("needless_pass_by_value") || names("expect") && names("pedantic")
    });
    if is_set {
        quote!(clippy::single_call_fn)
    } else {
        quote!(clippy::needless_pass_by_value, clippy::single_call_fn)
    }
}

/// The variable for the `Bound`. Its hygiene hides it from the user's code, and keeps a constant of the same name out of the
/// pattern.
fn bound_variable() -> Ident {
    Ident::new("__brokered_bound", Span::mixed_site())
}

/// The name of the user's function in the expansion.
fn inner_name(signature: &Signature) -> Ident {
    Ident::new(INNER_NAME, signature.name.span())
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_ident(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == wanted)
}

/// `name`, or a name like it, that does not occur in `tokens`.
fn unused_name(name: &str, tokens: &TokenStream) -> Ident {
    let mut name = name.to_owned();
    while mentions(tokens, |token| is_ident(token, &name)) {
        name.push('_');
    }
    Ident::new(&name, Span::call_site())
}

/// Whether `wanted` is true of a token, at any depth.
fn mentions(tokens: &TokenStream, wanted: impl Fn(&TokenTree) -> bool + Copy) -> bool {
    tokens.clone().into_iter().any(|token| match &token {
        TokenTree::Group(group) => mentions(&group.stream(), wanted),
        token => wanted(token),
    })
}

/// Whether there is a block, or an array with a computed length, at any depth.
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

/// `tokens`, all located at `span`.
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

/// Resolved at the call site, located at `span`.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// From the first token to the last, if the compiler can join them.
fn span_of(tokens: &TokenStream) -> Span {
    let (first, last) = ends_of(tokens);
    first.join(last).unwrap_or(first)
}

/// The positions of the first token and of the last one.
fn ends_of(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
