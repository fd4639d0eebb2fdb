//! [`Findings`]: the results of the checks.

use crate::style;

/// The results, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

/// The result of one check.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was checked: a path, a variable, a limit.
    pub(super) subject: String,
    /// What was found.
    pub(super) text: String,
    /// What to do about it. Empty if there is nothing to do.
    pub(super) advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// All is well.
    Fine,
    /// It is worth knowing, and nothing has to be done.
    Note,
    /// It works now, and may stop working.
    Warning,
    /// Something does not work.
    Problem,
}

impl Level {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    pub(super) fn style(self) -> anstyle::Style {
        match self {
            Self::Fine => style::OK,
            Self::Note => style::DIMMED,
            Self::Warning => style::WARNING,
            Self::Problem => style::ERROR,
        }
    }
}

impl Findings {
    pub(super) fn add(
        &mut self,
        level: Level,
        subject: impl Into<String>,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.0.push(Finding {
            level,
            subject: subject.into(),
            text: text.into(),
            advice: advice.into(),
        });
    }

    pub(super) fn add_fine(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(Level::Fine, subject, text, "");
    }

    pub(super) fn worst(&self) -> Level {
        let levels = self.0.iter().map(|finding| finding.level);
        levels.max().unwrap_or(Level::Fine)
    }
}
