//! [`ControlError`]: why a daemon could not be asked.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{InstanceError, Phase, diagnostics};

/// Why a daemon could not be asked, or did not do what it was asked.
#[non_exhaustive]
pub enum ControlError {
    /// The instance does not say where its daemon is.
    Instance(InstanceError),
    /// There is no daemon: nobody holds the instance lock.
    NotRunning {
        /// Where the daemon would answer.
        control: PathBuf,
    },
    /// The control endpoint may not be connected to.
    NoPermission {
        /// Where the daemon answers.
        control: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else answers on the control endpoint.
    ForeignPeer {
        /// Where they answer.
        control: PathBuf,
        /// The user that they are.
        user: u32,
    },
    /// A process holds the instance lock and does not answer.
    NoAnswer {
        /// Where it should.
        control: PathBuf,
        /// Who it is, as far as the record tells.
        holder: Option<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// The daemon is a hand-written backend, which has no control endpoint.
    NoControl {
        /// Where it would be.
        control: PathBuf,
        /// Who it is.
        holder: String,
    },
    /// The daemon answered that it can't or won't.
    Refused {
        /// What it said.
        why: String,
    },
    /// The daemon ends, and so it will not be ready.
    Ending {
        /// The phase that it told last.
        phase: Phase,
        /// Why, if it cannot go on.
        why: Option<String>,
    },
    /// The daemon had not come that far at the deadline.
    TimedOut {
        /// The phase that it told last.
        phase: Option<Phase>,
        /// What it told of its progress last.
        progress: Option<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// The daemon does not answer, and the process that is recorded is not certainly the daemon: nothing was
    /// sent to it.
    ProcessNotVerified {
        /// The process that is recorded.
        pid: u32,
        /// What does not fit.
        why: String,
    },
    /// The system refused something else.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::NotRunning { control } => write!(
                f,
                "nobody answers on {}: the daemon is not running",
                control.display()
            ),
            Self::NoPermission { control, source } => write!(
                f,
                "no permission to connect to {}: {source}; run as the user whose daemon it is",
                control.display()
            ),
            Self::ForeignPeer { control, user } => write!(
                f,
                "user {user} answers on {}, not the user of this process: nothing was asked; set \
                 BROKERED_RUNTIME_DIR to a directory that is yours alone",
                control.display()
            ),
            Self::NoAnswer {
                control,
                holder,
                waited,
            } => {
                write!(
                    f,
                    "no answer on {} within {}",
                    control.display(),
                    diagnostics::format_duration(*waited)
                )?;
                match holder {
                    Some(holder) => write!(f, "; the daemon's lock is held by {holder}"),
                    None => write!(
                        f,
                        "; the daemon's lock is held by a process that has not recorded itself"
                    ),
                }
            }
            Self::NoControl { control, holder } => write!(
                f,
                "there is no {}: {holder} is a hand-written backend, which has no control endpoint",
                control.display()
            ),
            Self::Refused { why } => write!(f, "the daemon answers: {why}"),
            Self::Ending {
                phase,
                why: Some(why),
            } => write!(f, "the daemon is {phase}: {why}"),
            Self::Ending { phase, why: None } => {
                write!(f, "the daemon is {phase}, and will not be ready")
            }
            Self::TimedOut {
                phase,
                progress,
                waited,
            } => {
                match phase {
                    Some(phase) => write!(f, "the daemon is {phase}")?,
                    None => write!(f, "the daemon has said nothing")?,
                }
                write!(f, " after {}", diagnostics::format_duration(*waited))?;
                match progress {
                    Some(progress) => write!(f, " ({progress})"),
                    None => Ok(()),
                }
            }
            Self::ProcessNotVerified { pid, why } => write!(
                f,
                "the daemon does not answer, and nothing was sent to process {pid}, which is recorded as \
                 the daemon: {why}; look at it, and end it yourself if it is the daemon"
            ),
            Self::Io {
                doing,
                path,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
        }
    }
}

/// The same words: what `main` returns is printed so.
impl fmt::Debug for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ControlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // All of these say what the error inside says, so its cause is theirs.
            Self::Instance(error) => error.source(),
            Self::NoPermission { source, .. } | Self::Io { source, .. } => source.source(),
            _ => None,
        }
    }
}

impl From<InstanceError> for ControlError {
    fn from(error: InstanceError) -> Self {
        Self::Instance(error)
    }
}
