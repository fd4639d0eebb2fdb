//! The daemon's side: from the start of the process to its end, in the order of the protocol.

pub(crate) mod adopt;
mod announce;
pub(crate) mod bound;
pub(crate) mod error;
mod help;
pub(crate) mod hold;
pub(crate) mod lifecycle;
pub(crate) mod run;
mod serve;
mod shutdown;
pub(crate) mod state;
mod stopping;
#[cfg(feature = "testing")]
pub(crate) mod unkept;

pub use bound::{Bound, Connection, Handle};
pub use serve::Incoming;
pub use state::State;
pub use stopping::Stopping;
