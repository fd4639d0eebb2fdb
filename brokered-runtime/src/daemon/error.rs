//! [`StartError`]: why a daemon did not start, and the exit code that reports it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::diagnostics::format_duration;
use crate::endpoint::EndpointError;
use crate::handoff::EXIT_ALREADY_BOUND;
use crate::record::{Record, RecordError};
use crate::refusal::{Advice, Refusal};
use crate::{DirectoryError, InstanceError, platform};

/// Exit codes, from `sysexits.h`.
pub(crate) mod exit_code {
    /// The instance or the endpoint is invalid.
    pub(crate) const USAGE: u8 = 64;
    /// A state failed to load, or `main` was called twice.
    pub(crate) const SOFTWARE: u8 = 70;
    /// The endpoint could not be bound.
    pub(crate) const OS_ERROR: u8 = 71;
    /// The directory, the lock or the record could not be created.
    pub(crate) const CANNOT_CREATE: u8 = 73;
    /// `main` panicked. This is the code that Rust itself uses.
    pub(crate) const PANIC: u8 = 101;
}

/// Why a daemon did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The instance is invalid.
    Instance(InstanceError),
    /// The launcher meant another daemon than this executable.
    OtherDaemon { asked: String, here: String },
    /// The hand-off from the launcher failed.
    Handoff { source: io::Error },
    /// The listener of the service manager could not be adopted.
    Activation { source: io::Error },
    /// A directory could not be created, or other users can access it.
    Directory(DirectoryError),
    /// The lock could not be taken, for another reason than a holder.
    Lock {
        path: PathBuf,
        source: io::Error,
        refusal: Option<Refusal>,
    },
    /// Another process holds the lock.
    AlreadyBound {
        endpoint: PathBuf,
        holder: Option<Box<Record>>,
    },
    /// The endpoint could not be bound.
    Endpoint(EndpointError),
    /// The record could not be written.
    Record(RecordError),
    /// A thread of the framework could not be started.
    Thread { source: io::Error },
}

impl StartError {
    /// The exit code for this error.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Instance(_) | Self::OtherDaemon { .. } => exit_code::USAGE,
            Self::AlreadyBound { .. } | Self::Endpoint(EndpointError::Managed { .. }) => {
                EXIT_ALREADY_BOUND
            }
            Self::Endpoint(_)
            | Self::Activation { .. }
            | Self::Handoff { .. }
            | Self::Thread { .. } => exit_code::OS_ERROR,
            Self::Directory(_) | Self::Lock { .. } | Self::Record(_) => exit_code::CANNOT_CREATE,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(error) => error.fmt(f),
            Self::OtherDaemon { asked, here } => write!(
                f,
                "started as {asked}, but this executable is {here}: start the executable that was built \
                 together with the client"
            ),
            Self::Handoff { source } => write!(
                f,
                "cannot adopt the hand-off from the launcher: {source}{}",
                Advice::new(source, refused_by_sandbox(source))
                    .or("build client and daemon with the same version of brokered-runtime")
            ),
            Self::Activation { source } => write!(
                f,
                "cannot adopt the listener of the service manager: {source}; check the socket in its configuration"
            ),
            Self::Directory(error) => error.fmt(f),
            Self::Lock {
                path,
                source,
                refusal,
            } => write!(
                f,
                "cannot lock {}: {source}{}",
                path.display(),
                Advice::new(source, refusal.as_ref())
                    .or("set BROKERED_RUNTIME_DIR to a directory on a local file system")
            ),
            Self::AlreadyBound { endpoint, holder } => {
                write!(f, "{} is already bound by ", endpoint.display())?;
                match holder {
                    Some(holder) => write!(
                        f,
                        "process {} ({}, started {} ago): connect to it, or stop it with `{}`",
                        holder.pid,
                        holder.phase,
                        format_duration(holder.age()),
                        platform::kill_hint(holder.pid)
                    ),
                    None => f.write_str(
                        "a process that has not written its record yet: connect to it, or try again",
                    ),
                }
            }
            Self::Endpoint(error) => error.fmt(f),
            Self::Record(error) => write!(
                f,
                "{error}; a daemon without a record cannot be found, so it does not serve"
            ),
            Self::Thread { source } => write!(
                f,
                "cannot set up signals and threads: {source}{}",
                Advice::new(source, refused_by_sandbox(source))
                    .or("check the limits of processes and open files (`ulimit -u`, `ulimit -n`)")
            ),
        }
    }
}

/// No owner and no mode keeps a process from using its own sockets, threads and signals.
fn refused_by_sandbox(error: &io::Error) -> Option<&'static Refusal> {
    (error.kind() == io::ErrorKind::PermissionDenied).then_some(&Refusal::Sandbox)
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The texts of these are those of the inner errors, so the source is that of the inner error.
            Self::Instance(error) => error.source(),
            Self::Directory(error) => error.source(),
            Self::Endpoint(error) => error.source(),
            Self::Record(error) => error.source(),
            Self::Handoff { source }
            | Self::Activation { source }
            | Self::Lock { source, .. }
            | Self::Thread { source } => Some(source),
            Self::OtherDaemon { .. } | Self::AlreadyBound { .. } => None,
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
