//! The daemon's side: from the start of the process to its end, in the order of the protocol.

pub(crate) mod acquire;
mod activation;
pub(crate) mod adopt;
mod announce;
mod background;
pub(crate) mod bound;
mod control_server;
pub(crate) mod error;
mod help;
mod idle;
#[cfg(feature = "tokio")]
mod into_tokio;
pub(crate) mod lifecycle;
mod report;
pub(crate) mod run;
mod serve;
pub(crate) mod state;
mod stopping;
mod supervisor;
mod trace;
#[cfg(feature = "testing")]
pub(crate) mod unsupervised;

pub use background::Background;
pub use bound::{Bound, ConnectionGuard, Handle, ReadinessGuard};
#[cfg(feature = "tokio")]
pub use into_tokio::{TokioListener, TokioStream};
pub use serve::Incoming;
pub use state::State;
pub use stopping::Stopping;
