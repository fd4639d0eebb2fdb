//! The client's side: connect, or bind and spawn and connect.

mod backoff;
mod children;
mod connect;
mod disable;
mod error;
mod failure;
mod foreground;
mod hang_detection;
#[cfg(feature = "operator")]
pub(crate) mod observe;
mod program;
mod ready;
mod spawn;
mod start_limit;
#[cfg(feature = "tokio")]
mod tokio;
mod wait;

pub use error::{LaunchError, StartStep};
pub use failure::Failure;
