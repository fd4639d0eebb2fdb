//! [`Phase`]: how far a daemon has come.

use std::fmt;
use std::str::FromStr;

/// How far a daemon has come. The same names stand in its record and in what it tells its launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Phase {
    /// The endpoint is bound and recorded: clients can connect, and wait.
    Bound,
    /// The daemon's states are loading.
    Loading,
    /// All states have loaded.
    Ready,
    /// The daemon was asked to end, and serves what it had accepted.
    Draining,
    /// The daemon has ended.
    Stopped,
    /// The daemon has ended because it could not go on.
    Failed,
}

impl Phase {
    /// The phase's one name.
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

/// A text that names no phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPhase(String);

impl fmt::Display for UnknownPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no phase of a daemon", self.0)
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
