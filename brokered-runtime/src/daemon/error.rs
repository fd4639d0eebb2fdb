//! Why a daemon did not come to serve, and the exit code that says so.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::endpoint::EndpointError;
use crate::handoff::EXIT_ALREADY_BOUND;
use crate::record::{Record, RecordError};
use crate::{BindError, DirectoryError, InstanceError, platform};

/// Exit codes, from `sysexits.h`.
pub(crate) mod exit_code {
    /// The instance or the endpoint is not a valid one.
    pub(crate) const USAGE: u8 = 64;
    /// A state failed to load, or `main` was entered twice.
    pub(crate) const SOFTWARE: u8 = 70;
    /// The endpoint could not be bound.
    pub(crate) const OS_ERROR: u8 = 71;
    /// The directory, the lock or the record could not be created.
    pub(crate) const CANNOT_CREATE: u8 = 73;
    /// `main` panicked; what Rust uses for it.
    pub(crate) const PANIC: u8 = 101;
}

/// Why a daemon did not come to serve.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The instance cannot be told.
    Instance(InstanceError),
    /// A launcher meant another daemon.
    Mismatch { asked: String, here: String },
    /// A launcher's message could not be taken over.
    Handoff { problem: io::Error },
    /// What a service manager passed could not be taken over.
    Activation { problem: io::Error },
    /// A directory is not ours alone, or could not be made.
    Directory(DirectoryError),
    /// The lock could not be taken, and not because somebody holds it.
    Lock { path: PathBuf, source: io::Error },
    /// Another process is the daemon.
    AlreadyBound {
        endpoint: PathBuf,
        holder: Option<Box<Record>>,
    },
    /// The endpoint could not be bound.
    Endpoint(EndpointError),
    /// The record could not be written.
    Record(RecordError),
    /// The thread that waits for signals could not be started.
    Signals { source: io::Error },
}

impl StartError {
    /// The exit code for this error.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Instance(_) | Self::Mismatch { .. } => exit_code::USAGE,
            Self::AlreadyBound { .. } | Self::Endpoint(EndpointError::Managed { .. }) => {
                EXIT_ALREADY_BOUND
            }
            Self::Endpoint(_)
            | Self::Activation { .. }
            | Self::Handoff { .. }
            | Self::Signals { .. } => exit_code::OS_ERROR,
            Self::Directory(_) | Self::Lock { .. } | Self::Record(_) => exit_code::CANNOT_CREATE,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::Mismatch { asked, here } => write!(
                f,
                "started as {asked}, but this executable is {here}: start the executable that was \
                 built together with the client"
            ),
            Self::Handoff { problem } => {
                write!(
                    f,
                    "cannot take over what the launcher handed over: {problem}"
                )
            }
            Self::Activation { problem } => write!(
                f,
                "cannot take over what the service manager passed: {problem}"
            ),
            Self::Directory(error) => error.fmt(f),
            Self::Lock { path, source } => write!(
                f,
                "cannot lock {}: {source}; set BROKERED_RUNTIME_DIR to a directory on a local file \
                 system",
                path.display()
            ),
            Self::AlreadyBound { endpoint, holder } => {
                write!(f, "{} is already bound", endpoint.display())?;
                match holder {
                    Some(holder) => write!(
                        f,
                        " by process {} ({}, started {} ago): connect to it, or stop it with \
                         `{}`",
                        holder.pid,
                        holder.phase,
                        crate::diagnostics::format_duration(holder.age()),
                        platform::kill_hint(holder.pid)
                    ),
                    None => write!(f, " by a process that has not recorded itself yet"),
                }
            }
            Self::Endpoint(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
            Self::Signals { source } => write!(
                f,
                "cannot start the thread that waits for signals: {source}; check the limit of \
                 processes (`ulimit -u`)"
            ),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // These say what the error inside says, so its cause is theirs.
            Self::Instance(error) => error.source(),
            Self::Directory(error) => error.source(),
            Self::Endpoint(error) => error.source(),
            Self::Record(error) => error.source(),
            Self::Handoff { problem: source }
            | Self::Activation { problem: source }
            | Self::Lock { source, .. }
            | Self::Signals { source } => Some(source),
            Self::Mismatch { .. } | Self::AlreadyBound { .. } => None,
        }
    }
}

impl From<InstanceError> for StartError {
    fn from(error: InstanceError) -> Self {
        Self::Instance(error)
    }
}

impl From<DirectoryError> for StartError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<EndpointError> for StartError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(error)
    }
}

impl From<RecordError> for StartError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// For the hand-written contract, whose errors have four kinds.
impl From<StartError> for BindError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Instance(_) | StartError::Mismatch { .. } => {
                Self::InvalidEndpoint(error.to_string())
            }
            StartError::AlreadyBound { .. }
            | StartError::Endpoint(EndpointError::Managed { .. }) => {
                Self::AlreadyBound(error.to_string())
            }
            other => Self::Io(io::Error::other(other)),
        }
    }
}
