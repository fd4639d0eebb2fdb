//! [`Waterfall`]: the steps of a start with their times.

use std::time::{Duration, SystemTime};

use crate::text::sanitize;

/// The steps of a start, in the order in which they are shown.
#[derive(Debug)]
pub(crate) struct Waterfall {
    began: SystemTime,
    steps: Vec<Step>,
}

/// A step. Its duration may be zero.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
}

impl Step {
    pub(crate) fn new(name: &str, from: SystemTime, to: SystemTime) -> Self {
        Self {
            name: sanitize(name),
            from,
            to: to.max(from),
        }
    }

    pub(crate) fn duration(&self) -> Duration {
        self.to.duration_since(self.from).unwrap_or_default()
    }
}

impl Waterfall {
    pub(crate) fn new(began: SystemTime) -> Self {
        Self {
            began,
            steps: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The time from the beginning. Zero if the clock was set back.
    pub(crate) fn offset(&self, at: SystemTime) -> Duration {
        at.duration_since(self.began).unwrap_or_default()
    }

    /// The time from the beginning to the end of the last step.
    pub(crate) fn total(&self) -> Duration {
        let ends = self.steps.iter().map(|step| self.offset(step.to));
        ends.max().unwrap_or_default()
    }

    /// Where the bar of a step begins, and its length, on a scale of `parts`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a terminal's width"
    )]
    pub(super) fn bar(&self, step: &Step, parts: usize) -> (usize, usize) {
        let total = self.total().as_secs_f64().max(1e-9);
        let part = |duration: Duration| duration.as_secs_f64() / total * parts as f64;
        let from = (part(self.offset(step.from)) as usize).min(parts.saturating_sub(1));
        let to = part(self.offset(step.to)).ceil() as usize;
        (from, to.clamp(from + 1, parts.max(from + 1)) - from)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::waterfall) fn waterfall() -> Waterfall {
        let began = SystemTime::UNIX_EPOCH;
        let at = |ms| began + Duration::from_millis(ms);
        let mut waterfall = Waterfall::new(began);
        waterfall.push(Step::new("exec", at(0), at(1)));
        waterfall.push(Step::new("load Cache<Key>", at(1), at(900)));
        waterfall.push(Step::new("ready", at(900), at(900)));
        waterfall.push(Step::new("first reply", at(900), at(1000)));
        waterfall
    }

    #[test]
    fn bars_are_as_long_as_their_steps() {
        let waterfall = waterfall();
        let bar = |index: usize| waterfall.bar(&waterfall.steps()[index], 100);
        assert_eq!(bar(0), (0, 1));
        assert_eq!(bar(1), (0, 90));
        assert_eq!(bar(3), (90, 10));
    }
}
