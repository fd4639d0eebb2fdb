//! The rules: what arguments and function may be. Nothing is quoted here.

use proc_macro2::{Delimiter, Ident, Literal, Span, TokenStream, TokenTree};

use crate::arguments::Argument;
use crate::catalogue::{self, Message};
use crate::main_fn::{Attribute, MainFn, Parameter, is_ident, is_punct};

/// A name that examples use where the user has given none.
const EXAMPLE: &str = "indexd";

/// One error, and the tokens that it is about.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) message: Message,
    pub(crate) start: Span,
    pub(crate) end: Span,
}

impl Mistake {
    /// About `tokens`, or the whole attribute if there are none.
    fn at(tokens: &TokenStream, message: Message) -> Self {
        let mut spans = tokens.clone().into_iter().map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        Self {
            message,
            start,
            end: spans.last().unwrap_or(start),
        }
    }

    pub(crate) fn on(span: Span, message: Message) -> Self {
        Self {
            message,
            start: span,
            end: span,
        }
    }
}

/// As many parameters of `main` may be conditional: with each, there are twice as many ways to call it.
pub(crate) const MOST_CONDITIONAL: usize = 8;

/// What the user's function is called inside of the `main` that the attribute makes.
pub(crate) const PRIVATE_NAME: &str = "__brokered_main";

/// The attribute's arguments, checked.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) daemon: Daemon,
    pub(crate) cli: Option<TokenStream>,
    pub(crate) help: Help,
    /// `crate = path`.
    pub(crate) runtime: Option<TokenStream>,
}

/// The first argument.
#[derive(Debug)]
pub(crate) enum Daemon {
    Name(Literal),
    Expression(TokenStream),
}

/// The option `help`.
#[derive(Debug)]
pub(crate) enum Help {
    Generated,
    Nothing,
    Text(TokenStream),
}

/// What is said of a `Daemon`, and not to the attribute: the methods that change one.
const OF_THE_DAEMON: [&str; 4] = [
    "contract",
    "per_directory",
    "binds_itself",
    "idle_exit_secs",
];

const OPTIONS: [&str; 3] = ["cli", "help", "crate"];

/// An example of each option's value.
fn example_of(option: &str) -> &'static str {
    match option {
        "cli" => "cli",
        "help" => "include_str!(\"help.txt\")",
        _ => "::brokered_runtime",
    }
}

/// Checks the arguments. `None` goes with at least one mistake.
pub(crate) fn arguments(arguments: Vec<Argument>, mistakes: &mut Vec<Mistake>) -> Option<Options> {
    let before = mistakes.len();
    let mut arguments = arguments.into_iter().peekable();

    let daemon = match arguments.peek() {
        None => {
            mistakes.push(Mistake::at(&TokenStream::new(), no_daemon(EXAMPLE)));
            None
        }
        Some(Argument::Named { name, value }) => {
            let example = as_name(value).unwrap_or_else(|| EXAMPLE.to_owned());
            let mistake = Mistake::on(name.span(), no_daemon(&example));
            // `name = "indexd"` is this one mistake, and no unknown option.
            if !is_one_of(&OPTIONS, name) {
                arguments.next();
            }
            let mut rest: Vec<_> = arguments.collect();
            mistakes.push(daemon_among(&mut rest).unwrap_or(mistake));
            arguments = rest.into_iter().peekable();
            None
        }
        Some(Argument::Bare(tokens)) => {
            let daemon = daemon(tokens, mistakes);
            arguments.next();
            daemon
        }
    };

    let mut given = Given::default();
    for argument in arguments {
        given.take(argument, daemon.as_ref(), mistakes);
    }
    match daemon {
        Some(daemon) if mistakes.len() == before => Some(Options {
            daemon,
            cli: given.cli,
            help: given.help.unwrap_or(Help::Generated),
            runtime: given.runtime,
        }),
        _ => None,
    }
}

/// The daemon that comes after an option, taken out.
fn daemon_among(arguments: &mut Vec<Argument>) -> Option<Mistake> {
    let place = arguments.iter().position(|argument| match argument {
        Argument::Bare(tokens) => {
            name_alone(tokens).is_none_or(|(name, _)| !is_one_of(&OPTIONS, &name))
        }
        Argument::Named { .. } => false,
    })?;
    match arguments.remove(place) {
        Argument::Bare(tokens) => Some(Mistake::at(
            &tokens,
            Message::new(&catalogue::DAEMON_NOT_FIRST).with("daemon", source(&tokens)),
        )),
        Argument::Named { .. } => None,
    }
}

fn no_daemon(example: &str) -> Message {
    Message::new(&catalogue::NO_DAEMON).with("example", example)
}

/// Where an expression ends that more follows: `EXPRESSION; more`.
fn statement(tokens: &TokenStream) -> Option<Mistake> {
    let semicolon = tokens
        .clone()
        .into_iter()
        .find(|token| is_punct(token, ';'))?;
    Some(Mistake::on(
        semicolon.span(),
        Message::new(&catalogue::STATEMENT),
    ))
}

fn daemon(tokens: &TokenStream, mistakes: &mut Vec<Mistake>) -> Option<Daemon> {
    if let Some(mistake) = statement(tokens) {
        mistakes.push(mistake);
        return None;
    }
    let mut rest = tokens.clone().into_iter();
    let Some(TokenTree::Literal(literal)) = unwrapped(rest.next()?) else {
        return Some(Daemon::Expression(tokens.clone()));
    };
    let rest: TokenStream = rest.collect();
    let mistake = match (string(&literal), method(&rest)) {
        (Some(_), Some(method)) => Message::new(&catalogue::METHOD_ON_NAME)
            .with("method", method.to_string())
            .with("name", literal.to_string())
            .with("rest", source(&rest)),
        (Some(name), None) if rest.is_empty() => match why_no_name(&name) {
            None => return Some(Daemon::Name(literal)),
            Some(reason) => Message::new(&catalogue::BAD_NAME)
                .with("name", name.chars().map(shown).collect::<String>())
                .with("reason", reason)
                .with("example", mended(&name)),
        },
        // An operator, an index: the compiler knows what it thinks of those.
        _ if !rest.is_empty() => return Some(Daemon::Expression(tokens.clone())),
        _ => Message::new(&catalogue::NOT_A_NAME)
            .with("found", format!("`{literal}`"))
            .with("example", EXAMPLE),
    };
    mistakes.push(Mistake::at(tokens, mistake));
    None
}

/// The token itself, out of the invisible brackets that a `macro_rules!` fragment may leave around it.
fn unwrapped(token: TokenTree) -> Option<TokenTree> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inside = group.stream().into_iter();
            let only = inside.next()?;
            if inside.next().is_none() {
                unwrapped(only)
            } else {
                None
            }
        }
        token => Some(token),
    }
}

/// `.method ..`
fn method(rest: &TokenStream) -> Option<Ident> {
    let mut rest = rest.clone().into_iter();
    match (rest.next()?, rest.next()?) {
        (TokenTree::Punct(dot), TokenTree::Ident(method)) if dot.as_char() == '.' => Some(method),
        _ => None,
    }
}

/// What is between a string literal's quotes, with escapes left as they are: no name has a backslash, so one with
/// escapes is refused whatever they mean. `None` for literals of any other kind.
fn string(literal: &Literal) -> Option<String> {
    let text = literal.to_string();
    let quoted = text
        .strip_prefix('r')
        .map_or(text.as_str(), |raw| raw.trim_matches('#'));
    Some(quoted.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// The value of `name = "indexd"`, if it would do as a name.
fn as_name(value: &TokenStream) -> Option<String> {
    let mut tokens = value.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Literal(literal)), None) => {
            string(&literal).filter(|name| why_no_name(name).is_none())
        }
        _ => None,
    }
}

/// What keeps a text from being a daemon's name. `Daemon::new` checks again, for names that are no literals here.
fn why_no_name(name: &str) -> Option<String> {
    let is_fine = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    let count = name.chars().count();
    if name.is_empty() {
        Some("it is empty".to_owned())
    } else if let Some(c) = name.chars().find(|c| !is_fine(*c)) {
        Some(match c {
            'A'..='Z' => format!("`{c}` is upper case"),
            ' ' => "it has a space in it".to_owned(),
            c => format!("it has `{}` in it", shown(c)),
        })
    } else if name.starts_with('-') {
        Some("it begins with `-`".to_owned())
    } else if name.ends_with('-') {
        Some("it ends with `-`".to_owned())
    } else if count > 64 {
        Some(format!("it has {count} characters"))
    } else {
        None
    }
}

/// A character of the user's own source, where it is one that can be seen.
fn shown(c: char) -> String {
    match c {
        '\\' | '"' | '\'' => c.to_string(),
        c => c.escape_debug().to_string(),
    }
}

/// The nearest name that would do.
fn mended(name: &str) -> String {
    let mut mended = String::new();
    let mut chars = name.chars().map(|c| c.to_ascii_lowercase());
    while let Some(c) = chars.next() {
        match c {
            // What an escape means is not known here.
            '\\' => _ = chars.next(),
            'a'..='z' | '0'..='9' => mended.push(c),
            // Whatever separates words, once.
            _ if !mended.is_empty() && !mended.ends_with('-') => mended.push('-'),
            _ => {}
        }
    }
    let mended = mended.trim_end_matches('-');
    if why_no_name(mended).is_some() {
        EXAMPLE.to_owned()
    } else {
        mended.to_owned()
    }
}

/// The options so far.
#[derive(Debug, Default)]
struct Given {
    names: Vec<String>,
    cli: Option<TokenStream>,
    help: Option<Help>,
    runtime: Option<TokenStream>,
}

impl Given {
    fn take(&mut self, argument: Argument, daemon: Option<&Daemon>, mistakes: &mut Vec<Mistake>) {
        let (name, value) = match argument {
            Argument::Named { name, value } => (name, value),
            Argument::Bare(tokens) => match name_alone(&tokens) {
                // `cli(..)`: an option, but no value in sight.
                Some((name, _)) if is_one_of(&OPTIONS, &name) => (name, TokenStream::new()),
                Some((name, value)) if is_one_of(&OF_THE_DAEMON, &name) => (name, value),
                _ => return mistakes.push(no_option(&tokens, daemon)),
            },
        };
        let option = name.to_string();
        let mut mistake = |entry, words: &[(&'static str, &str)]| {
            let message = words.iter().fold(
                Message::new(entry).with("option", &*option),
                |message, (key, word)| message.with(key, *word),
            );
            mistakes.push(Mistake::on(name.span(), message));
        };

        if is_one_of(&OF_THE_DAEMON, &name) {
            let call = match option.as_str() {
                "contract" if value.is_empty() => "contract(1)".to_owned(),
                "contract" => format!("contract({})", source(&value)),
                _ => format!("{option}()"),
            };
            let words = [("daemon", &*as_expression(daemon)), ("call", &*call)];
            return mistake(&catalogue::OPTION_OF_THE_DAEMON, &words);
        }
        if option == "state" {
            return mistake(&catalogue::STATE_OPTION, &[]);
        }
        if !OPTIONS.contains(&option.as_str()) {
            let nearest = nearest(&option).map(|nearest| format!(": did you mean `{nearest}`?"));
            return mistake(
                &catalogue::UNKNOWN_OPTION,
                &[("nearest", nearest.as_deref().unwrap_or_default())],
            );
        }
        if self.names.contains(&option) {
            return mistake(&catalogue::OPTION_TWICE, &[]);
        }
        self.names.push(option.clone());
        if value.is_empty() {
            return mistake(
                &catalogue::OPTION_WITHOUT_VALUE,
                &[("value", example_of(&option))],
            );
        }
        match option.as_str() {
            "cli" => match path(&value) {
                Ok(()) => self.cli = Some(value),
                Err(found) => mistakes.push(Mistake::at(
                    &value,
                    Message::new(&catalogue::CLI_IS_NO_PATH).with("found", found),
                )),
            },
            "help" => match statement(&value) {
                Some(mistake) => mistakes.push(mistake),
                None => {
                    self.help = Some(if is_none(&value) {
                        Help::Nothing
                    } else {
                        Help::Text(value)
                    });
                }
            },
            _ => match path(&value) {
                Ok(()) => self.runtime = Some(value),
                Err(found) => mistakes.push(Mistake::at(&value, no_crate(&value, found))),
            },
        }
    }
}

fn no_crate(value: &TokenStream, found: &str) -> Message {
    let inside = match value.clone().into_iter().next() {
        Some(TokenTree::Literal(literal)) => string(&literal),
        _ => None,
    };
    Message::new(&catalogue::CRATE_IS_NO_PATH)
        .with("found", found)
        .with("path", inside.as_deref().unwrap_or(example_of("crate")))
}

/// The daemon as the attribute is given it.
fn as_argument(daemon: Option<&Daemon>) -> String {
    match daemon {
        Some(Daemon::Name(name)) => name.to_string(),
        Some(Daemon::Expression(tokens)) => source(tokens),
        None => format!("\"{EXAMPLE}\""),
    }
}

/// The same as a `Daemon`, to call a method of.
fn as_expression(daemon: Option<&Daemon>) -> String {
    let argument = as_argument(daemon);
    match daemon {
        Some(Daemon::Expression(_)) => argument,
        _ => format!("Daemon::new({argument})"),
    }
}

fn no_option(tokens: &TokenStream, daemon: Option<&Daemon>) -> Mistake {
    Mistake::at(
        tokens,
        Message::new(&catalogue::NO_OPTION)
            .with("found", source(tokens))
            .with("daemon", as_argument(daemon)),
    )
}

/// `name`, and `name(..)` with what is in the brackets.
fn name_alone(tokens: &TokenStream) -> Option<(Ident, TokenStream)> {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next()?, tokens.next(), tokens.next()) {
        (TokenTree::Ident(name), None, None) => Some((name, TokenStream::new())),
        (TokenTree::Ident(name), Some(TokenTree::Group(group)), None) => {
            Some((name, group.stream()))
        }
        _ => None,
    }
}

fn is_one_of(names: &[&str], name: &Ident) -> bool {
    names.iter().any(|known| name == known)
}

/// `none`
fn is_none(value: &TokenStream) -> bool {
    let mut tokens = value.clone().into_iter();
    tokens.next().is_some_and(|token| is_ident(&token, "none")) && tokens.next().is_none()
}

/// Whether this is a path, and otherwise what it is.
fn path(value: &TokenStream) -> Result<(), &'static str> {
    let tokens: Vec<_> = value.clone().into_iter().filter_map(unwrapped).collect();
    if let Some(TokenTree::Literal(literal)) = tokens.first() {
        return Err(if string(literal).is_some() {
            "a string"
        } else {
            "a literal"
        });
    }
    let mut angles = crate::arguments::Angles::default();
    let mut colons = 0;
    let mut named = false;
    for token in &tokens {
        match token {
            TokenTree::Punct(punct) if matches!(punct.as_char(), '<' | '>') => {
                // `<A as B>::c` and `a::<B>`, no comparison.
                angles.see(punct, colons == 2 || !named || angles.inside());
                if !angles.inside() && punct.as_char() == '<' {
                    return Err("an expression");
                }
                named = true;
                colons = 0;
            }
            _ if angles.inside() => angles.see_other(),
            TokenTree::Punct(punct) if punct.as_char() == ':' && colons < 2 => colons += 1,
            TokenTree::Ident(_) if !named || colons == 2 => (named, colons) = (true, 0),
            TokenTree::Group(group)
                if named && colons == 0 && group.delimiter() == Delimiter::Parenthesis =>
            {
                return Err("a call");
            }
            TokenTree::Punct(punct) if punct.as_char() == '|' => return Err("a closure"),
            TokenTree::Punct(punct) if punct.as_char() == '!' => return Err("a macro call"),
            _ => return Err("an expression"),
        }
    }
    if named && colons == 0 {
        Ok(())
    } else {
        Err("half a path")
    }
}

/// The option that an unknown one was probably meant to be.
fn nearest(option: &str) -> Option<&'static str> {
    OPTIONS
        .into_iter()
        .map(|known| (distance(option, known), known))
        .filter(|(distance, known)| *distance < known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters to put in, take out or change.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// Checks the function. `arguments` is what the attribute was given, for messages that repeat it.
pub(crate) fn function(main: &MainFn, arguments: &TokenStream, mistakes: &mut Vec<Mistake>) {
    for twice in main
        .attributes
        .iter()
        .filter(|attribute| is_ours(attribute))
    {
        mistakes.push(Mistake::at(
            &twice.tokens,
            Message::new(&catalogue::ATTRIBUTE_TWICE),
        ));
    }
    if main.name == PRIVATE_NAME {
        // What another `#[brokered_daemon]` has made of it, one that no path and no `cfg_attr` gave away.
        mistakes.push(Mistake::at(
            &TokenStream::new(),
            Message::new(&catalogue::ATTRIBUTE_TWICE),
        ));
        return;
    }
    if main.name != "main" {
        let message = Message::new(&catalogue::NOT_MAIN).with("name", main.name.to_string());
        mistakes.push(Mistake::on(main.name.span(), message));
    }
    for attribute in main.attributes.iter().chain(&main.attributes_within()) {
        if let Some(name) = calls_from_elsewhere(attribute) {
            let message = Message::new(&catalogue::CALLED_BY_OTHERS).with("attribute", name);
            mistakes.push(Mistake::at(&attribute.tokens, message));
        } else if needs_a_processor(attribute) {
            let message =
                Message::new(&catalogue::QUALIFIED_MAIN).with("qualifier", "#[target_feature]");
            mistakes.push(Mistake::at(&attribute.tokens, message));
        }
    }
    if !main.visibility.is_empty() {
        let message =
            Message::new(&catalogue::VISIBLE_MAIN).with("visibility", source(&main.visibility));
        mistakes.push(Mistake::at(&main.visibility, message));
    }
    for qualifier in main
        .qualifiers
        .iter()
        .filter(|qualifier| qualifier.name != "async")
    {
        let message =
            Message::new(&catalogue::QUALIFIED_MAIN).with("qualifier", source(&qualifier.tokens));
        mistakes.push(Mistake::at(&qualifier.tokens, message));
    }
    for generic in [&main.generics, &main.where_clause] {
        if !generic.is_empty() {
            mistakes.push(Mistake::at(generic, Message::new(&catalogue::GENERIC_MAIN)));
            break;
        }
    }
    if main.body.is_none() {
        mistakes.push(Mistake::on(
            main.name.span(),
            Message::new(&catalogue::NO_BODY),
        ));
    }
    parameters(main, mistakes);
    if main.is_async() && !main.attributes.iter().any(may_rewrite) {
        mistakes.push(no_executor(main, arguments));
    }
}

fn parameters(main: &MainFn, mistakes: &mut Vec<Mistake>) {
    let mut receives = false;
    let first = main.taken.first().and_then(Parameter::ty);
    // In another configuration the first one is the other.
    let may_come_again = (main.taken.first()).is_some_and(|first| !first.conditions().is_empty());
    for (index, parameter) in main.taken.iter().enumerate() {
        match parameter {
            Parameter::Receiver(tokens) => {
                receives = true;
                mistakes.push(Mistake::at(tokens, Message::new(&catalogue::RECEIVER)));
            }
            Parameter::Variadic(tokens) => {
                mistakes.push(Mistake::at(tokens, Message::new(&catalogue::VARIADIC)));
            }
            Parameter::Typed { ty, .. }
                if ty
                    .clone()
                    .into_iter()
                    .next()
                    .is_some_and(|token| is_ident(&token, "impl")) =>
            {
                mistakes.push(Mistake::at(ty, Message::new(&catalogue::GENERIC_MAIN)));
            }
            Parameter::Typed { ty, .. } if index > 0 => {
                // A state may well be called `Bound` where the first parameter is not, or has a path before it.
                if is_bound(ty) && first.is_some_and(|first| same(first, ty)) && !may_come_again {
                    let message = Message::new(&catalogue::BOUND_TWICE).with("type", source(ty));
                    mistakes.push(Mistake::at(ty, message));
                } else if index == 1 && is_bound(ty) && first.is_some_and(|first| !is_bound(first))
                {
                    mistakes.push(bound_not_first(main, ty));
                } else if let Some(referent) = referent(ty) {
                    let message =
                        Message::new(&catalogue::REFERENCE).with("type", source(&referent));
                    mistakes.push(Mistake::at(ty, message));
                }
            }
            // Half typed: the compiler says what is missing.
            Parameter::Typed { .. } | Parameter::Untyped(_) => {}
        }
    }
    let mut conditional =
        (main.taken.iter()).filter(|parameter| !parameter.conditions().is_empty());
    if let Some(tokens) = conditional
        .nth(MOST_CONDITIONAL)
        .and_then(Parameter::tokens)
    {
        let message = Message::new(&catalogue::TOO_MANY_CONDITIONS)
            .with("most", MOST_CONDITIONAL.to_string());
        mistakes.push(Mistake::at(tokens, message));
    }
    if main.taken.is_empty() && !receives {
        mistakes.push(Mistake::on(
            main.parameters.span(),
            Message::new(&catalogue::NO_BOUND),
        ));
    }
}

fn bound_not_first(main: &MainFn, ty: &TokenStream) -> Mistake {
    let mut parameters: Vec<_> = main.taken.iter().filter_map(Parameter::tokens).collect();
    parameters.swap(0, 1);
    let parameters: Vec<_> = parameters
        .into_iter()
        .map(|tokens| tight(&source(tokens)))
        .collect();
    let message = Message::new(&catalogue::BOUND_NOT_FIRST)
        .with("type", source(ty))
        .with("parameters", parameters.join(", "));
    Mistake::at(ty, message)
}

/// The same tokens, wherever they stand.
fn same(one: &TokenStream, other: &TokenStream) -> bool {
    one.to_string() == other.to_string()
}

/// `Bound`, by whatever path.
fn is_bound(ty: &TokenStream) -> bool {
    ty.clone()
        .into_iter()
        .last()
        .is_some_and(|token| is_ident(&token, "Bound"))
}

/// `&T` and `&mut T`, but not `&'static T`: that could be a state.
fn referent(ty: &TokenStream) -> Option<TokenStream> {
    let mut tokens = ty.clone().into_iter().peekable();
    tokens.next_if(|token| is_punct(token, '&'))?;
    tokens.next_if(|token| is_ident(token, "mut"));
    let referent: TokenStream = tokens.collect();
    (!referent
        .clone()
        .into_iter()
        .next()
        .is_none_or(|token| is_punct(&token, '\'')))
    .then_some(referent)
}

fn no_executor(main: &MainFn, arguments: &TokenStream) -> Mistake {
    let at = main
        .qualifiers
        .iter()
        .find(|qualifier| qualifier.name == "async")
        .map_or(main.name.span(), |found| found.name.span());
    let message = Message::new(&catalogue::NO_EXECUTOR)
        .with(
            "arguments",
            if arguments.is_empty() {
                format!("\"{EXAMPLE}\"")
            } else {
                source(arguments)
            },
        )
        .with("parameters", source(&main.parameters.stream()));
    Mistake::on(at, message)
}

pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    attribute
        .path
        .last()
        .is_some_and(|name| name == "brokered_daemon")
}

/// Whether an attribute lets others call the function, and its name. A test's is known by its last segment, whoever
/// provides it.
pub(crate) fn calls_from_elsewhere(attribute: &Attribute) -> Option<String> {
    let name = attribute.path.last()?;
    let is_alone = attribute.path.len() == 1;
    (name == "test"
        || is_alone
            && ["bench", "no_mangle", "export_name"]
                .iter()
                .any(|calls| name == calls))
    .then(|| name.to_string())
}

/// `#[target_feature(..)]`: a function that only some processors can run is not called like others.
fn needs_a_processor(attribute: &Attribute) -> bool {
    matches!(attribute.path.as_slice(), [name] if name == "target_feature")
}

/// Whether an attribute goes to the `main` that the process starts with; all others stay on the user's function.
pub(crate) fn goes_outside(attribute: &Attribute) -> bool {
    const OUTSIDE: [&str; 8] = [
        "cfg",
        "doc",
        "allow",
        "warn",
        "deny",
        "forbid",
        "expect",
        // Of the other function, the call that the attribute writes would be told off.
        "deprecated",
    ];
    let [name] = attribute.path.as_slice() else {
        return false;
    };
    OUTSIDE.iter().any(|outside| name == outside)
}

/// Whether an attribute could make another function of this one: a plain one of an `async fn`, for one. All could,
/// except those known to the compiler; what `cfg_attr` holds is not known before it is expanded.
pub(crate) fn may_rewrite(attribute: &Attribute) -> bool {
    const KNOWN: [&str; 16] = [
        "cold",
        "coverage",
        "export_name",
        "ignore",
        "inline",
        "instrument",
        "link_section",
        "must_use",
        "no_mangle",
        "optimize",
        "should_panic",
        "target_feature",
        "test",
        "track_caller",
        "type_length_limit",
        "automatically_derived",
    ];
    const TOOLS: [&str; 3] = ["clippy", "diagnostic", "rustfmt"];
    !goes_outside(attribute)
        && !is_ours(attribute)
        && match attribute.path.as_slice() {
            [] => false,
            [name] => !KNOWN.iter().any(|known| name == known),
            [tool, ..] => !TOOLS.iter().any(|known| tool == known),
        }
}

/// What stands on something that is no function.
pub(crate) fn no_function(what: &str, at: Span) -> Mistake {
    Mistake::on(
        at,
        Message::new(&catalogue::NOT_A_FUNCTION).with("found", what),
    )
}

/// Tokens as the user has written them, if the compiler still knows.
fn source(tokens: &TokenStream) -> String {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let text = spans.next().and_then(|first| {
        let joined = spans.last().map_or(Some(first), |last| first.join(last))?;
        joined.source_text()
    });
    text.unwrap_or_else(|| tokens.to_string())
}

/// A parameter as people write it: tokens that were taken apart are printed with spaces between all of them.
fn tight(text: &str) -> String {
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
    use crate::main_fn::Item;

    fn codes_of(attribute: &str, item: &str) -> Vec<&'static str> {
        let mut mistakes = Vec::new();
        let tokens: TokenStream = attribute.parse().unwrap();
        arguments(crate::arguments::parse(tokens.clone()), &mut mistakes);
        match crate::main_fn::parse(item.parse().unwrap()) {
            Item::Function(main) => function(&main, &tokens, &mut mistakes),
            other => panic!("{item} is read as {other:?}"),
        }
        mistakes
            .iter()
            .map(|mistake| mistake.message.entry().code)
            .collect()
    }

    const FINE: &str = "fn main(bound: Bound) {}";

    #[test]
    fn what_is_right_is_let_through() {
        for attribute in [
            r#""hello""#,
            r#"r"hello","#,
            r##"r#"hello"#"##,
            "DAEMON, cli = cli, help = none, crate = ::renamed",
            "Daemon::new(\"a\").per_directory(), help = include_str!(\"x\")",
            "DAEMON, cli = self::a::cli::<B, C>",
            "DAEMON, cli = <A as B>::cli",
            "DAEMON, cli = <A<C> as B>::cli::<D>",
        ] {
            assert!(
                codes_of(attribute, FINE).is_empty(),
                "{attribute}: {:?}",
                codes_of(attribute, FINE)
            );
        }
        for item in [
            "fn main(_: Bound, index: Index) -> ! { loop {} }",
            "#[tokio::main] async fn main(bound: Bound) {}",
            "#[cfg_attr(unix, tokio::main)] async fn main(bound: Bound) {}",
            "fn main(bound) {}",
            "fn main(bound: Bound, index: &'static Index, half: &) {}",
            "fn main(bound: Bound, one: A, another: A) {}",
            "fn main(bound: brokered_runtime::Bound, one: geometry::Bound) {}",
        ] {
            assert!(
                codes_of("\"a\"", item).is_empty(),
                "{item}: {:?}",
                codes_of("\"a\"", item)
            );
        }
    }

    #[test]
    fn each_wrong_argument_is_one_mistake() {
        for (attribute, wanted) in [
            ("", "B001"),
            ("cli = cli", "B001"),
            ("name = \"hello\"", "B001"),
            ("cli = a, \"hello\"", "B029"),
            ("\"\"", "B002"),
            ("\"Hello\"", "B002"),
            ("\"hello world\"", "B002"),
            ("\"-a\"", "B002"),
            ("\"a-\"", "B002"),
            ("\"a\\x62\"", "B002"),
            ("42", "B003"),
            ("b\"a\"", "B003"),
            ("c\"a\"", "B003"),
            ("'a'", "B003"),
            ("\"a\".per_directory()", "B004"),
            ("A, cly = cli", "B007"),
            ("A, state = State::open()", "B006"),
            ("A; b()", "B005"),
            ("\"a\"; b()", "B005"),
            ("A, help = b; c()", "B005"),
            ("A, cli", "B010"),
            ("A, cli =", "B010"),
            ("A, cli(cli)", "B010"),
            ("A, start", "B008"),
            ("A, \"b\"", "B008"),
            ("A, || b", "B008"),
            ("A, per_directory", "B026"),
            ("A, per_directory = true", "B026"),
            ("A, contract(2)", "B026"),
            ("\"a\", contract = 2", "B026"),
            ("A, cli = a, cli = b", "B009"),
            ("A, cli = a, cli", "B009"),
            ("A, cli = cli()", "B011"),
            ("A, cli = || cli()", "B011"),
            ("A, cli = \"cli\"", "B011"),
            ("A, cli = { cli }", "B011"),
            ("A, cli = a.b", "B011"),
            ("A, cli = a::", "B011"),
            ("A, cli = vec![]", "B011"),
            ("A, cli = a; b", "B011"),
            ("A, crate = \"renamed\"", "B012"),
            ("A, crate = a()", "B012"),
        ] {
            assert_eq!(codes_of(attribute, FINE), [wanted], "{attribute}");
        }
    }

    #[test]
    fn each_wrong_function_is_one_mistake() {
        for (item, wanted) in [
            ("fn start(bound: Bound) {}", "B014"),
            ("pub fn main(bound: Bound) {}", "B015"),
            ("pub(crate) fn main(bound: Bound) {}", "B015"),
            ("unsafe fn main(bound: Bound) {}", "B016"),
            ("const fn main(bound: Bound) {}", "B016"),
            ("extern \"C\" fn main(bound: Bound) {}", "B016"),
            (
                "#[target_feature(enable = \"avx2\")] fn main(bound: Bound) {}",
                "B016",
            ),
            ("fn main<T: State>(bound: Bound, state: T) {}", "B017"),
            ("fn main(bound: Bound) where u8: Copy {}", "B017"),
            ("fn main(bound: Bound, state: impl State) {}", "B017"),
            ("fn main(&self) {}", "B018"),
            ("fn main(self: Box<Self>, bound: Bound) {}", "B018"),
            ("fn main(bound: Bound, ...) {}", "B019"),
            ("fn main(bound: Bound);", "B020"),
            (
                "#[brokered_runtime::brokered_daemon(\"b\")] fn main(bound: Bound) {}",
                "B021",
            ),
            ("fn main() {}", "B022"),
            ("fn main(bound: Bound, again: Bound) {}", "B023"),
            ("fn main(index: Index, bound: Bound) {}", "B027"),
            ("#[test] fn main(bound: Bound) {}", "B028"),
            ("#[tokio::test] async fn main(bound: Bound) {}", "B028"),
            ("#[unsafe(no_mangle)] fn main(bound: Bound) {}", "B028"),
            ("#[export_name = \"a\"] fn main(bound: Bound) {}", "B028"),
            ("fn main(bound: Bound) { #![no_mangle] }", "B028"),
            ("fn __brokered_main(bound: Bound) {}", "B021"),
            ("fn main(bound: Bound, index: &Index) {}", "B024"),
            ("fn main(bound: Bound, index: &mut Index) {}", "B024"),
            ("async fn main(bound: Bound) {}", "B025"),
            (
                "#[inline] #[allow(unused)] #[clippy::msrv = \"1\"] async fn main(bound: Bound) {}",
                "B025",
            ),
        ] {
            assert_eq!(codes_of("\"a\"", item), [wanted], "{item}");
        }
    }

    /// The attribute knows what belongs to a `Daemon`, and knows nothing that does not.
    #[test]
    fn what_is_said_of_a_daemon_is_what_changes_one() {
        let source = include_str!("../../brokered-runtime/src/identity/daemon.rs");
        let changing: Vec<_> = source
            .split("pub const fn ")
            .skip(1)
            .filter_map(|rest| rest.split_once("(mut self"))
            .map(|(name, _)| name)
            .filter(|name| !name.contains(char::is_whitespace))
            .collect();
        assert_eq!(changing, OF_THE_DAEMON);
    }

    #[test]
    fn a_parameter_is_printed_as_people_write_it() {
        assert_eq!(
            tight("mut index : & 'static a :: Index < 'a , B >"),
            "mut index: &'static a::Index<'a, B>"
        );
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        assert_eq!(
            codes_of("\"A\", cly = a", "pub fn start() {}"),
            ["B002", "B007", "B014", "B015", "B022"]
        );
    }

    #[test]
    fn a_name_is_mended_to_one_that_would_do() {
        for (name, wanted) in [
            ("Index Daemon", "index-daemon"),
            ("-a-", "a"),
            ("ä", EXAMPLE),
            ("", EXAMPLE),
            ("a..b", "a-b"),
            ("a\\n", "a"),
            ("a\\u{b}", "a-b"),
        ] {
            assert_eq!(mended(name), wanted);
            assert_eq!(why_no_name(wanted), None);
        }
        assert_eq!(mended(&"x".repeat(65)), EXAMPLE);
        assert!(why_no_name(&"x".repeat(65)).is_some());
        assert!(why_no_name(&"x".repeat(64)).is_none());
    }

    #[test]
    fn the_nearest_option_is_offered_only_if_it_is_near() {
        assert_eq!(nearest("cly"), Some("cli"));
        assert_eq!(nearest("hlep"), Some("help"));
        assert_eq!(nearest("krate"), Some("crate"));
        assert_eq!(nearest("client_mode"), None);
    }
}
