//! The identity that a daemon and its clients share, and the files of its instances.
//!
//! Read the files in this order:
//!
//! 1. `daemon`: [`Daemon`], the constant.
//! 2. `paths`: the runtime directory, the instance directory, and the files in it.
//! 3. `launch_options`: how a client starts the daemon.
//! 4. `instance`: [`Instance`], one instance of a `Daemon`, and how to start it.
//! 5. `executable`: the daemon that this executable also is, with `cli = ..`.
//!
//! `error` has the error types.

mod daemon;
mod error;
mod executable;
mod instance;
mod launch_options;
pub(crate) mod paths;

pub use daemon::Daemon;
pub(crate) use daemon::is_name as is_daemon_name;
pub use error::{DirectoryError, InstanceError};
pub(crate) use executable::{is_served_by_this_executable, set_daemon_of_this_executable};
pub use instance::Instance;
pub use launch_options::WaitFor;
