//! The attribute's arguments: first the daemon, then the options.

use proc_macro2::TokenStream;

use super::daemon::{self, Daemon};
use super::options::{Help, OptionValues, is_option};
use super::{EXAMPLE, Mistake, source};
use crate::catalogue::{self, Message};
use crate::parse::arguments::{Argument, Arguments};

/// The arguments, checked.
pub(crate) struct Options {
    pub(crate) daemon: Daemon,
    pub(crate) cli: Option<TokenStream>,
    pub(crate) help: Help,
    /// `crate = path`
    pub(crate) runtime: Option<TokenStream>,
}

/// Checks the arguments. If it returns `None`, there is at least one mistake.
pub(crate) fn arguments(arguments: Arguments, mistakes: &mut Vec<Mistake>) -> Option<Options> {
    let before = mistakes.len();
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    let daemon = take_daemon(&mut arguments, mistakes);
    let mut given = OptionValues::default();
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

/// Takes the daemon, or what is in its place.
fn take_daemon(arguments: &mut Vec<Argument>, mistakes: &mut Vec<Mistake>) -> Option<Daemon> {
    match arguments.first() {
        None => {
            mistakes.push(Mistake::of_the_attribute(no_daemon(EXAMPLE)));
            None
        }
        Some(Argument::Missing(comma)) => {
            let mistake = Mistake::on(comma.span, no_daemon(EXAMPLE));
            arguments.remove(0);
            mistakes.push(daemon_after_options(arguments).unwrap_or(mistake));
            None
        }
        Some(Argument::Named { name, value }) => {
            let example = daemon::valid_name(value).unwrap_or_else(|| EXAMPLE.to_owned());
            let mistake = Mistake::on(name.span(), no_daemon(&example));
            // `name = "indexd"` is this one mistake, and not an unknown option as well.
            if !is_option(name) {
                arguments.remove(0);
            }
            mistakes.push(daemon_after_options(arguments).unwrap_or(mistake));
            None
        }
        Some(Argument::Unnamed(expression)) => {
            let daemon = daemon::check(expression).map_err(|mistake| mistakes.push(mistake));
            arguments.remove(0);
            daemon.ok()
        }
    }
}

fn no_daemon(example: &str) -> Message {
    Message::new(&catalogue::NO_DAEMON).with("example", example)
}

/// Takes a daemon that comes after an option.
fn daemon_after_options(arguments: &mut Vec<Argument>) -> Option<Mistake> {
    let (index, tokens) = (arguments.iter().enumerate()).find_map(|(index, argument)| {
        let Argument::Unnamed(expression) = argument else {
            return None;
        };
        let is_daemon = expression.option().is_none_or(|(name, _)| !is_option(name));
        is_daemon.then(|| (index, expression.tokens.clone()))
    })?;
    arguments.remove(index);
    let message = Message::new(&catalogue::DAEMON_NOT_FIRST).with("daemon", source(&tokens));
    Some(Mistake::at(&tokens, message))
}
