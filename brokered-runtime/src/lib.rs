#![doc = include_str!("../docs/guide.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

#[doc(hidden)]
pub mod attribute;
mod backend;
mod backoff;
mod control;
mod daemon;
mod deadline;
mod diagnostics;
mod endpoint;
pub mod errors;
mod fault;
mod fields;
pub mod guide;
mod handoff;
mod hash;
mod identity;
mod instance_lock;
mod launch;
mod log_file;
mod never;
mod nonce;
#[cfg(feature = "operator")]
pub mod operator;
mod own_daemon;
mod phase;
#[allow(unsafe_code, reason = "the only module that makes system calls")]
mod platform;
mod record;
mod refusal;
#[cfg(feature = "testing")]
pub mod testing;
mod timestamp;

#[cfg(fuzzing)]
#[doc(hidden)]
#[path = "fuzz.rs"]
pub mod __fuzz;

pub use backend::{BindError, BrokeredBackend, Endpoint, bootstrap};
pub use brokered_macros::brokered_daemon;
pub use control::{
    ControlError, Load, LoadState, Milestone, Obstacle, Reloaded, Status, StopOutcome,
};
pub use daemon::{
    Background, Bound, ConnectionGuard, Drained, Handle, Incoming, ReadinessGuard, Reload, Reloads,
    State, Stopping,
};
#[cfg(feature = "tokio")]
pub use daemon::{TokioListener, TokioStream};
pub use endpoint::{IpcListener, IpcStream};
pub use identity::{Daemon, DirectoryError, Instance, InstanceError, WaitFor};
/// The crate that defines [`IpcListener`] and [`IpcStream`]. Its traits provide what goes beyond `Read` and `Write`:
/// import `brokered_runtime::interprocess::local_socket::traits::Stream as _` to set timeouts.
pub use interprocess;
pub use launch::{Failure, LaunchError, StartStage};
pub use never::Never;
pub use phase::{Phase, UnknownPhase};
pub use refusal::Refusal;
