//! [`Program`]: what the attribute knows of the executable.

use crate::Daemon;

/// What the attribute knows of the executable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// The daemon that it serves.
    pub daemon: Daemon,
    /// The name of the package.
    pub package: &'static str,
    /// The version of the package.
    pub version: &'static str,
    /// The description of the package.
    pub description: &'static str,
    /// What `--help` prints.
    pub help: Help,
    /// Whether a panic ends the process at once. Only the crate of the executable knows it.
    pub panics_abort: bool,
}

/// What `--help` prints.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Help {
    /// A text that is generated from the daemon and the package.
    Generated,
    /// This text.
    Text(&'static str),
    /// Nothing: the daemon handles `--help` and `--version` itself.
    None,
}
