//! The daemon's side: from the start of the process to its end, in the order of the protocol.

pub(crate) mod adopt;
mod announce;
mod background;
pub(crate) mod bound;
mod control;
pub(crate) mod error;
mod help;
pub(crate) mod hold;
mod idle;
pub(crate) mod lifecycle;
mod report;
pub(crate) mod run;
mod serve;
mod shutdown;
pub(crate) mod state;
mod stopping;

pub use background::Background;
pub use bound::{Bound, Connection, Handle, NotReady};
pub use serve::Incoming;
pub use state::State;
pub use stopping::Stopping;
