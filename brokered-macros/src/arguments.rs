//! The attribute's arguments, taken apart. What they may be is for `check` to say.
//!
//! An expression is never parsed: it stays the tokens that the user wrote, and the compiler reads them.

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};

/// One argument, up to its comma.
#[derive(Debug)]
pub(crate) enum Argument {
    /// `name = value`; the value is empty in `name =`.
    Named { name: Ident, value: TokenStream },
    /// Everything else, and never empty.
    Bare(TokenStream),
}

/// Splits at the commas. A trailing comma is fine, and so is none at all.
pub(crate) fn parse(tokens: TokenStream) -> Vec<Argument> {
    split(tokens, Context::Expression)
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .map(|piece| match piece.as_slice() {
            [TokenTree::Ident(name), TokenTree::Punct(equals), value @ ..]
                if is_assignment(equals, value) =>
            {
                Argument::Named {
                    name: name.clone(),
                    value: value.iter().cloned().collect(),
                }
            }
            _ => Argument::Bare(piece.into_iter().collect()),
        })
        .collect()
}

/// Whether this is `=`, rather than the beginning of `==` or `=>`.
fn is_assignment(punct: &proc_macro2::Punct, rest: &[TokenTree]) -> bool {
    punct.as_char() == '='
        && (punct.spacing() == Spacing::Alone
            || !matches!(rest.first(), Some(TokenTree::Punct(next)) if matches!(next.as_char(), '=' | '>')))
}

/// Where tokens stand, which decides what `<` means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Context {
    /// `<` compares, unless it follows `::` or begins the piece.
    Expression,
    /// `<` opens.
    Type,
}

/// The pieces between top-level commas; those between angle brackets don't count.
pub(crate) fn split(tokens: TokenStream, context: Context) -> Vec<Vec<TokenTree>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<TokenTree> = Vec::new();
    let mut angles = Angles::default();
    for token in tokens {
        if let TokenTree::Punct(punct) = &token {
            if punct.as_char() == ',' && !angles.inside() {
                pieces.push(std::mem::take(&mut piece));
                angles = Angles::default();
                continue;
            }
            let opens = match context {
                Context::Type => true,
                Context::Expression => {
                    angles.inside()
                        || piece.is_empty()
                        || matches!(piece.last(), Some(TokenTree::Punct(last)) if last.as_char() == ':')
                }
            };
            angles.see(punct, opens);
        } else {
            angles.see_other();
        }
        piece.push(token);
    }
    pieces.push(piece);
    pieces
}

/// How deep in angle brackets.
#[derive(Debug, Default)]
pub(crate) struct Angles {
    depth: usize,
    /// The last token was a `-` or `=` joined to this one: `->` and `=>` close nothing.
    arrow: bool,
}

impl Angles {
    pub(crate) fn see(&mut self, punct: &proc_macro2::Punct, opens: bool) {
        match punct.as_char() {
            '<' if opens => self.depth += 1,
            '>' if !self.arrow => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.arrow = matches!(punct.as_char(), '-' | '=') && punct.spacing() == Spacing::Joint;
    }

    pub(crate) fn see_other(&mut self) {
        self.arrow = false;
    }

    pub(crate) fn inside(&self) -> bool {
        self.depth > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments of `text`, each written as `name=value` or `value`.
    fn parsed(text: &str) -> Vec<String> {
        parse(text.parse().unwrap())
            .into_iter()
            .map(|argument| match argument {
                Argument::Named { name, value } => format!("{name}={value}"),
                Argument::Bare(tokens) => tokens.to_string(),
            })
            .collect()
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(parsed("").is_empty());
        assert!(parsed(" , ").is_empty());
    }

    #[test]
    fn commas_part_arguments_and_the_last_may_trail() {
        assert_eq!(
            parsed(r#""a", cli = cli, help = include_str!("x"),"#),
            [r#""a""#, "cli=cli", r#"help=include_str ! ("x")"#]
        );
    }

    #[test]
    fn a_comma_between_angle_brackets_is_part_of_the_expression() {
        assert_eq!(parsed("<A as B<C, D>>::DAEMON, cli = x").len(), 2);
        assert_eq!(parsed("a::<B, C>(), cli = x").len(), 2);
        assert_eq!(parsed("a::<fn(A) -> B, C>(), cli = x").len(), 2);
    }

    #[test]
    fn a_comparison_opens_nothing() {
        assert_eq!(parsed("A < B, cli = x").len(), 2);
        assert_eq!(parsed("A == B, cli = x").len(), 2);
        assert!(parsed("A == B")[0].starts_with("A =="));
    }

    #[test]
    fn an_option_may_lack_its_value() {
        assert_eq!(parsed("cli ="), ["cli="]);
        assert_eq!(parsed("cli"), ["cli"]);
    }

    #[test]
    fn a_keyword_is_a_name_too() {
        assert_eq!(parsed("crate = ::renamed"), ["crate=:: renamed"]);
    }
}
