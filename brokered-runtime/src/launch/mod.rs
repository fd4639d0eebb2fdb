//! The client's side: connect, or bind and spawn and connect.

mod children;
mod clock;
mod connect;
mod error;
mod foreground;
#[cfg(feature = "cli")]
pub(crate) mod observe;
mod program;
mod ready;
mod spawn;
mod wait;

pub use error::LaunchError;
