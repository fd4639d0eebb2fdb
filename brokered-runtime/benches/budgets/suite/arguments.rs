//! The command line.

use super::Result;

/// What was asked for.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that is given or not"
)]
pub(super) struct Arguments {
    pub(super) quick: bool,
    pub(super) build: bool,
    pub(super) markdown: bool,
    pub(super) list: bool,
    /// `cargo bench` says `--bench`; `cargo test --benches`, which only wants to see it run, doesn't.
    pub(super) bench: bool,
    wanted: Vec<String>,
}

impl Arguments {
    pub(super) fn parse(given: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self::default();
        for argument in given {
            match argument.as_str() {
                "--quick" => arguments.quick = true,
                "--build" => arguments.build = true,
                "--markdown" => arguments.markdown = true,
                "--list" => arguments.list = true,
                "--bench" => arguments.bench = true,
                option if option.starts_with('-') => {
                    return Err(format!(
                        "no such option: {option}; there are --quick, --build, --markdown, --list, and names of rows"
                    )
                    .into());
                }
                _ => arguments.wanted.push(argument.to_lowercase()),
            }
        }
        Ok(arguments)
    }

    /// Whether a row with this name and description is to be measured.
    pub(super) fn wants(&self, name: &str, what: &str) -> bool {
        let what = what.to_lowercase();
        self.wanted.is_empty()
            || self
                .wanted
                .iter()
                .any(|text| name.contains(text) || what.contains(text))
    }

    /// `full` rounds, or a tenth with `--quick`, but enough for a median.
    pub(super) fn rounds(&self, full: usize) -> usize {
        if self.quick {
            full.div_ceil(10).max(full.min(20))
        } else {
            full
        }
    }
}
