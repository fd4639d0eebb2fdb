//! The client's side: connect, or bind and spawn and connect.

mod budget;
mod children;
mod clock;
mod connect;
mod error;
mod failure;
mod foreground;
mod hang;
#[cfg(feature = "cli")]
pub(crate) mod observe;
mod program;
mod spawn;
mod switch;
#[cfg(feature = "tokio")]
mod tokio;
mod wait;

pub use error::{LaunchError, StartStep};
pub use failure::Failure;
