//! The command line.

use super::Result;

/// The options and the selected rows.
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
    /// `cargo bench` passes `--bench`. `cargo test --benches` does not, and only checks that the program runs.
    pub(super) bench: bool,
    selected: Vec<String>,
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
                        "unknown option: {option}; the options are --quick, --build, --markdown, --list, and names of rows"
                    )
                    .into());
                }
                _ => arguments.selected.push(argument.to_lowercase()),
            }
        }
        Ok(arguments)
    }

    /// Whether a row with this name and description is selected.
    pub(super) fn selects(&self, name: &str, description: &str) -> bool {
        let description = description.to_lowercase();
        self.selected.is_empty()
            || self
                .selected
                .iter()
                .any(|text| name.contains(text) || description.contains(text))
    }

    /// `full` rounds, or a tenth of them with `--quick`, but at least 20 where `full` is that many.
    pub(super) fn rounds(&self, full: usize) -> usize {
        if self.quick {
            full.div_ceil(10).max(full.min(20))
        } else {
            full
        }
    }
}
