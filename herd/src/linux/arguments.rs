//! The command line.

use std::path::PathBuf;

use super::Result;
use super::sides::Side;

/// What a herd finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// Nothing at all.
    Cold,
    /// What a daemon that was killed has left.
    Stale,
    /// A daemon that is killed while they come, again and again.
    Killed,
}

impl Case {
    pub(super) const ALL: [Self; 3] = [Self::Cold, Self::Stale, Self::Killed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Stale => "stale",
            Self::Killed => "killed",
        }
    }
}

/// What was asked for.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) clients: Vec<usize>,
    pub(super) cases: Vec<Case>,
    pub(super) sides: Vec<Side>,
    pub(super) rounds: usize,
    pub(super) plot: Option<PathBuf>,
    pub(super) plain: bool,
}

impl Arguments {
    pub(super) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self {
            clients: vec![1, 10, 100, 400],
            cases: Case::ALL.to_vec(),
            sides: Side::ALL.to_vec(),
            rounds: 10,
            plot: None,
            plain: false,
        };
        while let Some(option) = given.next() {
            let mut value = || {
                let value = given.next();
                value.ok_or_else(|| format!("{option} wants a value"))
            };
            match option.as_str() {
                "--clients" => arguments.clients = list(&value()?, |text| text.parse().ok())?,
                "--cases" => {
                    arguments.cases = list(&value()?, |text| named(&Case::ALL, Case::name, text))?;
                }
                "--sides" => {
                    arguments.sides = list(&value()?, |text| named(&Side::ALL, Side::name, text))?;
                }
                "--rounds" => arguments.rounds = value()?.parse()?,
                "--plot" => arguments.plot = Some(value()?.into()),
                "--plain" => arguments.plain = true,
                other => {
                    return Err(format!(
                        "no such option: {other}; there are --clients, --cases, --sides, --rounds, --plot and --plain"
                    )
                    .into());
                }
            }
        }
        if arguments.rounds == 0 || arguments.clients.contains(&0) {
            return Err("a herd has one client at least, and is let go once at least".into());
        }
        Ok(arguments)
    }
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    text.split(',')
        .map(|part| parse(part).ok_or_else(|| format!("{part:?} is none that there is").into()))
        .collect()
}

fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|&one| name(one) == text)
}
