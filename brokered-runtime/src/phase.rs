//! [`Phase`]: how far a daemon has come, from its bound endpoint to its end.

use std::fmt;
use std::str::FromStr;

/// How far a daemon has come.
///
/// Phases only advance, in this order. Each has one name, which the record, the replies of the control endpoint, the
/// service manager's status and `brokered` show.
///
/// ```
/// use brokered_runtime::Phase;
///
/// let phase: Phase = "loading".parse()?;
/// assert!(Phase::Bound < phase && phase < Phase::Ready);
/// assert_eq!(phase.to_string(), "loading");
/// # Ok::<(), brokered_runtime::UnknownPhase>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Phase {
    /// The endpoint is bound: clients can connect, and wait in the backlog.
    Bound,
    /// The daemon's states are loading.
    Loading,
    /// The daemon has loaded its states and accepts clients.
    Ready,
    /// The daemon shuts down: it serves its open connections and refuses new ones.
    Draining,
    /// The daemon has ended.
    Stopped,
    /// The daemon has ended because of a failure: a state that did not load, a panic, or an error of `main`.
    Failed,
}

impl Phase {
    /// The name of the phase, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    pub(crate) const ALL: [Self; 6] = [
        Self::Bound,
        Self::Loading,
        Self::Ready,
        Self::Draining,
        Self::Stopped,
        Self::Failed,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of parsing a text that is not the name of a [`Phase`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPhase(String);

impl fmt::Display for UnknownPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a phase; the phases are ", self.0)?;
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{phase}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownPhase {}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| UnknownPhase(text.to_owned()))
    }
}
