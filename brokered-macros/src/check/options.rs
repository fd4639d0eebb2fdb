//! The options: the arguments after the daemon.

use proc_macro2::{Delimiter, Ident, TokenStream};

use super::daemon::Daemon;
use super::name::text_of;
use super::{Mistake, source};
use crate::catalogue::{self, Entry, Message};
use crate::parse::arguments::{Argument, Expression, Form};

/// An option that there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Cli,
    Help,
    Crate,
}

impl Known {
    const ALL: [Self; 3] = [Self::Cli, Self::Help, Self::Crate];

    fn of(name: &Ident) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name == known.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Help => "help",
            Self::Crate => "crate",
        }
    }

    /// An example of a value.
    fn example(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Help => "include_str!(\"help.txt\")",
            Self::Crate => "::brokered_runtime",
        }
    }
}

/// The methods that change a `Daemon`. Users look for them among the attribute's options.
const METHODS_OF_DAEMON: [&str; 4] = [
    "contract",
    "per_directory",
    "binds_itself",
    "idle_exit_secs",
];

/// The option `help`.
pub(crate) enum Help {
    Generated,
    Disabled,
    Text(TokenStream),
}

pub(super) fn is_option(name: &Ident) -> bool {
    Known::of(name).is_some()
}

/// The options so far.
#[derive(Default)]
pub(super) struct OptionValues {
    known: Vec<Known>,
    pub(super) cli: Option<TokenStream>,
    pub(super) help: Option<Help>,
    pub(super) runtime: Option<TokenStream>,
}

impl OptionValues {
    /// Checks one argument after the daemon.
    pub(super) fn take(
        &mut self,
        argument: Argument,
        daemon: Option<&Daemon>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let taken = match argument {
            Argument::Named { name, value } => self.named(&name, Some(value), daemon),
            Argument::Unnamed(expression) => self.unnamed(&expression, daemon),
            Argument::Missing(comma) => {
                let message = Message::new(&catalogue::EXTRA_COMMA);
                Err(Mistake::on(comma.span, message))
            }
        };
        mistakes.extend(taken.err());
    }

    /// Checks an argument without `=`, which never is right.
    fn unnamed(&mut self, expression: &Expression, daemon: Option<&Daemon>) -> Result<(), Mistake> {
        match expression.option() {
            Some((name, _)) if is_option(name) => self.named(name, None, daemon),
            Some((name, value)) if is_one_of(&METHODS_OF_DAEMON, name) => {
                Err(method_of_daemon(name, &value, daemon))
            }
            _ => Err(not_an_option(&expression.tokens, daemon)),
        }
    }

    fn named(
        &mut self,
        name: &Ident,
        value: Option<Expression>,
        daemon: Option<&Daemon>,
    ) -> Result<(), Mistake> {
        let value = value.filter(|value| !value.tokens.is_empty());
        if is_one_of(&METHODS_OF_DAEMON, name) {
            let value = value.map(|value| value.tokens).unwrap_or_default();
            return Err(method_of_daemon(name, &value, daemon));
        }
        if name == "state" {
            return Err(mistake(name, &catalogue::STATE_OPTION));
        }
        let Some(known) = Known::of(name) else {
            return Err(unknown_option(name));
        };
        if self.known.contains(&known) {
            return Err(mistake(name, &catalogue::OPTION_TWICE));
        }
        self.known.push(known);
        let Some(value) = value else {
            return Err(option_without_value(name, known));
        };
        match known {
            Known::Cli => self.cli = Some(cli(value)?),
            Known::Help => self.help = Some(help(value)?),
            Known::Crate => self.runtime = Some(runtime(value)?),
        }
        Ok(())
    }
}

fn cli(value: Expression) -> Result<TokenStream, Mistake> {
    match why_not_a_path(&value.form) {
        None => Ok(value.tokens),
        Some(found) => {
            let message = Message::new(&catalogue::CLI_IS_NO_PATH).with("found", found);
            Err(Mistake::at(&value.tokens, message))
        }
    }
}

fn help(value: Expression) -> Result<Help, Mistake> {
    if let Some(semicolon) = value.semicolon() {
        let message = Message::new(&catalogue::STATEMENT);
        return Err(Mistake::on(semicolon.span(), message));
    }
    Ok(match &value.form {
        Form::Path { name: Some(name) } if name == "none" => Help::Disabled,
        _ => Help::Text(value.tokens),
    })
}

fn runtime(value: Expression) -> Result<TokenStream, Mistake> {
    let Some(found) = why_not_a_path(&value.form) else {
        return Ok(value.tokens);
    };
    let quoted = match &value.form {
        Form::Literal(literal) => text_of(literal),
        _ => None,
    };
    let message = Message::new(&catalogue::CRATE_IS_NO_PATH)
        .with("found", found)
        .with("path", quoted.as_deref().unwrap_or(Known::Crate.example()));
    Err(Mistake::at(&value.tokens, message))
}

/// What an expression is, if it is not a path.
fn why_not_a_path(form: &Form) -> Option<&'static str> {
    match form {
        Form::Path { .. } => None,
        Form::Literal(literal) | Form::MethodOfLiteral { literal, .. } => {
            Some(if text_of(literal).is_some() {
                "a string"
            } else {
                "a literal"
            })
        }
        Form::Call { arguments, .. } if arguments.delimiter() == Delimiter::Parenthesis => {
            Some("a call")
        }
        Form::MacroCall => Some("a macro call"),
        Form::Closure => Some("a closure"),
        Form::IncompletePath => Some("an incomplete path"),
        Form::Call { .. } | Form::Other => Some("an expression"),
    }
}

/// A mistake in an option, whose name is all that the message needs.
fn mistake(name: &Ident, entry: &'static Entry) -> Mistake {
    let message = Message::new(entry).with("option", name.to_string());
    Mistake::on(name.span(), message)
}

fn option_without_value(name: &Ident, known: Known) -> Mistake {
    let message = Message::new(&catalogue::OPTION_WITHOUT_VALUE)
        .with("value", known.example())
        .with("option", known.name());
    Mistake::on(name.span(), message)
}

fn unknown_option(name: &Ident) -> Mistake {
    let option = name.to_string();
    let nearest = nearest(&option).map(|nearest| format!(": did you mean `{nearest}`?"));
    let message = Message::new(&catalogue::UNKNOWN_OPTION)
        .with("option", option)
        .with("nearest", nearest.unwrap_or_default());
    Mistake::on(name.span(), message)
}

fn method_of_daemon(name: &Ident, value: &TokenStream, daemon: Option<&Daemon>) -> Mistake {
    let method = name.to_string();
    let call = match method.as_str() {
        "contract" if value.is_empty() => "contract(1)".to_owned(),
        "contract" => format!("contract({})", source(value)),
        _ => format!("{method}()"),
    };
    let message = Message::new(&catalogue::OPTION_OF_THE_DAEMON)
        .with("option", method)
        .with("daemon", Daemon::as_expression(daemon))
        .with("call", call);
    Mistake::on(name.span(), message)
}

fn not_an_option(tokens: &TokenStream, daemon: Option<&Daemon>) -> Mistake {
    let message = Message::new(&catalogue::NOT_AN_OPTION)
        .with("found", source(tokens))
        .with("daemon", Daemon::as_argument(daemon));
    Mistake::at(tokens, message)
}

fn is_one_of(names: &[&str], name: &Ident) -> bool {
    names.iter().any(|known| name == known)
}

/// The option that is spelled like this one.
fn nearest(option: &str) -> Option<&'static str> {
    Known::ALL
        .into_iter()
        .map(Known::name)
        .map(|known| (edit_distance(option, known), known))
        // At least half of the letters have to be right, or a short option would be near to any word.
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters have to be inserted, deleted or replaced: the Levenshtein distance.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_of_daemon_are_those_that_change_it() {
        let source = include_str!("../../../brokered-runtime/src/identity/daemon.rs");
        let changing: Vec<_> = source
            .split("pub const fn ")
            .skip(1)
            .filter_map(|rest| rest.split_once("(mut self"))
            .map(|(name, _)| name)
            .filter(|name| !name.contains(char::is_whitespace))
            .collect();
        assert_eq!(changing, METHODS_OF_DAEMON);
    }

    #[test]
    fn an_option_is_suggested_only_if_the_spelling_is_near() {
        assert_eq!(nearest("cly"), Some("cli"));
        assert_eq!(nearest("hlep"), Some("help"));
        assert_eq!(nearest("krate"), Some("crate"));
        assert_eq!(nearest("client_mode"), None);
    }
}
