//! For operators' tools: finds, inspects, starts and stops the daemons of a user.
//!
//! A client knows its daemon by the constant [`Daemon`](crate::Daemon). A tool such as the command line `brokered`
//! does not: it finds daemons by their files. This module needs the feature `operator`, which daemons and clients
//! do not need.
//!
//! - [`instance_directories`] lists the directories of all instances; [`InstanceDirectory`] is one of them.
//! - [`InstanceDirectory::status`], [`wait_ready`](InstanceDirectory::wait_ready),
//!   [`reload`](InstanceDirectory::reload) and [`stop`](InstanceDirectory::stop) ask the running daemon on its control
//!   endpoint.
//! - [`InstanceDirectory::read_record`] and [`lock_state`](InstanceDirectory::lock_state) tell about a daemon that
//!   does not answer, or has ended.
//! - [`Launcher`] starts a daemon from its name and its executable.
//! - [`InstanceDirectory::remove`] removes the directory of an instance that is no longer used.
//!
//! No function of this module follows a symbolic link in a runtime directory, or removes a file that the framework did
//! not create. The items that depend on the platform say so.
//!
//! # Example
//!
//! List all daemons with their phase, then stop one:
//!
//! ```
//! use std::time::Duration;
//!
//! use brokered_runtime::ControlError;
//! use brokered_runtime::operator::instance_directories;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let timeout = Duration::from_secs(1);
//! for instance in instance_directories()?.instances {
//!     match instance.status(timeout) {
//!         Ok(status) => println!("{} {}, process {}", status.name, status.phase, status.pid),
//!         Err(ControlError::NotRunning { .. }) => println!("{} has ended", instance.name()),
//!         Err(error) => println!("{}: {error}", instance.name()),
//!     }
//!     if instance.name() == "words" {
//!         instance.stop(Duration::from_secs(15))?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

// In the order in which to read them: where instances are, what a record says, how a daemon is started, and what
// else a tool needs of the platform.
mod instance_directory;
mod launcher;
mod record;
mod removal;
mod system;

pub use instance_directory::{
    InstanceDirectories, InstanceDirectory, InstanceDirectoryError, LockState,
    instance_directories, runtime_directories,
};
pub use launcher::{DaemonEvent, IdentityError, LaunchEvent, Launcher, StartOutcome};
pub use record::{DaemonRecord, RecordState};
pub use removal::RemovalError;
pub use system::{
    EXIT_ALREADY_BOUND, canonicalize, fits_endpoint, is_daemon_name, is_same_file, older_log,
    open_files_limit, why_not_writable,
};
