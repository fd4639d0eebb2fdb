//! The client's side of the control endpoint, and the protocol that both sides speak on it.
//!
//! Read the files in this order:
//!
//! 1. `protocol`: the requests, and the keys of the replies.
//! 2. `status`: [`Status`], the reply to `status`.
//! 3. `connection`: connect to the control endpoint, send a request, receive lines. `status_request` is the first use.
//! 4. `client`: [`Instance::status`](crate::Instance::status) and
//!    [`Instance::wait_ready`](crate::Instance::wait_ready).
//! 5. `stop`: [`Instance::stop`](crate::Instance::stop).
//! 6. `reload`: [`Instance::reload`](crate::Instance::reload).
//!
//! `error` has [`ControlError`], and `obstacle` finds out why a daemon does not answer. `wait_cycle` finds daemons that
//! wait for each other. The server's side is `daemon/control_server.rs`.

pub(crate) mod client;
mod connection;
mod error;
pub(crate) mod obstacle;
mod protocol;
pub(crate) mod reload;
mod status;
mod status_request;
pub(crate) mod stop;
pub(crate) mod wait_cycle;

pub use error::ControlError;
pub(crate) use error::{describe_process, write_obstacle, write_own_daemon};
pub use obstacle::Obstacle;
pub(crate) use protocol::{
    ERROR, FAILED, MAX_REQUEST_SIZE, PHASE, PROGRESS, RELOAD, RELOAD_DONE, RELOAD_NOT_TAKEN,
    RELOAD_REASON, RELOAD_REFUSED, RELOAD_TOOK, Request, UNKNOWN_REQUEST,
};
pub use reload::Reloaded;
pub use status::{Load, LoadState, Milestone, Status};
pub use stop::StopOutcome;
