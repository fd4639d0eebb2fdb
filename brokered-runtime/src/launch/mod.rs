//! The client's side: connect to the daemon, or start it and connect.
//!
//! Read the files in this order, which is the order of the protocol:
//!
//! 1. `disable`: `BROKERED_DISABLE`, which makes clients work without daemons.
//! 2. `connect`: step 1. Connect, and check the peer.
//! 3. `connect_or_spawn`: steps 2, 3 and 6. Take the lock or connect, then launch.
//! 4. `start_limit`: step 3. Refuse to start a daemon that is in a crash loop.
//! 5. `spawn`: steps 4 and 5. Bind, send the message, start the process. `program` chooses the executable, `log`
//!    opens the log, `started` is the result.
//! 6. `wait`: steps 7 and 8. Wait for the daemon's events. `hang_detection` tells a hung daemon from a slow one, `ready`
//!    waits for a daemon that another process has started.
//! 7. `failure_record`: step 8. Record how a start failed, for the clients in the backlog. `last_failure` reads it.
//! 8. `children`: step 9. Reap the daemons that this process has started.
//!
//! Beside the protocol: `exec` makes this process the daemon, `observe` is a launch for the operator's `trace`, and
//! `tokio` has the asynchronous calls. `error` and `failure` are the types that callers see.

mod children;
mod connect;
mod connect_or_spawn;
mod disable;
mod error;
mod exec;
mod failure;
mod failure_record;
mod hang_detection;
mod last_failure;
mod log;
#[cfg(feature = "operator")]
pub(crate) mod observe;
mod program;
mod ready;
mod spawn;
mod start_limit;
mod started;
#[cfg(feature = "tokio")]
mod tokio;
mod wait;

pub use error::{LaunchError, StartStage};
pub use failure::Failure;
