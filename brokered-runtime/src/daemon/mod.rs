//! The daemon's side: from the start of the process to its end, in the order of the protocol.

mod activation;
pub(crate) mod adopt;
mod announce;
mod background;
pub(crate) mod bound;
mod control;
pub(crate) mod error;
mod help;
pub(crate) mod hold;
mod idle;
#[cfg(feature = "tokio")]
mod into_tokio;
pub(crate) mod lifecycle;
mod report;
pub(crate) mod run;
mod serve;
mod shutdown;
pub(crate) mod state;
mod stopping;
mod trace;
#[cfg(feature = "testing")]
pub(crate) mod unkept;

pub use background::Background;
pub use bound::{Bound, Connection, Handle, NotReady};
#[cfg(feature = "tokio")]
pub use into_tokio::{TokioListener, TokioStream};
pub use serve::Incoming;
pub use state::State;
pub use stopping::Stopping;
