//! Local daemons that are reachable before they think.
//!
//! ```no_run
//! use std::io::{self, Write};
//! use brokered_runtime::{Bound, brokered_daemon};
//!
//! #[brokered_daemon("hello")]
//! fn main(bound: Bound) -> io::Result<()> {
//!     bound.serve(|mut client| client.write_all(b"hello\n"))
//! }
//! ```

#![deny(unsafe_code)]

mod backend;
mod daemon;
mod endpoint;
mod fields;
mod handover;
mod identity;
mod instance_lock;
mod launch;
mod phase;
#[allow(unsafe_code, reason = "the one door to the operating system")]
mod platform;
mod record;
mod text;

#[doc(hidden)]
#[path = "attribute.rs"]
pub mod __private;

pub use backend::{BindError, BrokeredBackend, Endpoint, IpcListener, IpcStream, Never, bootstrap};
pub use brokered_macros::brokered_daemon;
pub use daemon::{Bound, Connection, Handle, Incoming, State, Stopping};
pub use identity::{Daemon, DirectoryError, Instance, InstanceError, Wait};
pub use launch::LaunchError;
pub use phase::{Phase, UnknownPhase};
