//! For the tests of your own daemon: a [`Bound`](crate::Bound) for a unit test of a [`State`](crate::State), and the
//! real daemon in a place of its own. With the feature `testing`, which belongs under `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! brokered-runtime = { version = "0.1", features = ["testing"] }
//! ```
//!
//! In a program that is no test, [`bound`] is a way around what the attribute promises: it gives a `Bound` to
//! whoever asks. So leave the feature off there.
//!
//! Nothing here changes the process's environment, installs handlers for signals, or ends the process; as many tests as
//! you like run at once.

mod bound;
mod error;
mod launched;
mod scratch;

pub use bound::bound;
pub use error::Error;
pub use launched::{Launch, Launched, launch};
