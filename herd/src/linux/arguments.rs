//! The command line.

use std::path::PathBuf;

use super::Result;
use super::implementation::Implementation;

/// The state that the clients find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// No files.
    Cold,
    /// The files of a killed daemon.
    Stale,
    /// A daemon that is killed several times while they connect.
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

/// The options.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) clients: Vec<usize>,
    pub(super) cases: Vec<Case>,
    pub(super) implementations: Vec<Implementation>,
    pub(super) rounds: usize,
    pub(super) plot: Option<PathBuf>,
    pub(super) plain: bool,
}

impl Arguments {
    pub(super) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self {
            clients: vec![1, 10, 100, 400],
            cases: Case::ALL.to_vec(),
            implementations: Implementation::ALL.to_vec(),
            rounds: 10,
            plot: None,
            plain: false,
        };
        while let Some(option) = given.next() {
            let mut value = || {
                let value = given.next();
                value.ok_or_else(|| format!("{option} needs a value"))
            };
            match option.as_str() {
                "--clients" => arguments.clients = list(&value()?, |text| text.parse().ok())?,
                "--cases" => {
                    arguments.cases = list(&value()?, |text| named(&Case::ALL, Case::name, text))?;
                }
                "--implementations" => {
                    arguments.implementations = list(&value()?, |text| {
                        named(&Implementation::ALL, Implementation::name, text)
                    })?;
                }
                "--rounds" => arguments.rounds = value()?.parse()?,
                "--plot" => arguments.plot = Some(value()?.into()),
                "--plain" => arguments.plain = true,
                other => {
                    return Err(format!(
                        "unknown option: {other}; the options are --clients, --cases, --implementations, --rounds, --plot and --plain"
                    )
                    .into());
                }
            }
        }
        if arguments.rounds == 0 || arguments.clients.contains(&0) {
            return Err("--clients and --rounds must be at least 1".into());
        }
        Ok(arguments)
    }
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    text.split(',')
        .map(|part| parse(part).ok_or_else(|| format!("unknown value: {part:?}").into()))
        .collect()
}

fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|&value| name(value) == text)
}
