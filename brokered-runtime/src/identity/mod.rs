//! Who a daemon is, for itself and for its clients: [`Daemon`], [`Instance`], and where their files are.

mod daemon;
mod error;
mod instance;
pub(crate) mod paths;

pub use daemon::Daemon;
pub(crate) use daemon::is_name as is_daemon_name;
pub use error::{DirectoryError, InstanceError};
pub use instance::{Instance, Wait};

pub(crate) use instance::{is_served_here, serve_from_here};
