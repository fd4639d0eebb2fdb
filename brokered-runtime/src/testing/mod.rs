//! For tests: a real [`Bound`](crate::Bound), or the real daemon.
//!
//! [`bound()`] is for a unit test of a [`State`](crate::State). [`launch`] starts the daemon in its own runtime directory.
//!
//! This module needs the feature `testing`. Enable it under `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! brokered-runtime = { version = "0.1", features = ["testing"] }
//! ```
//!
//! Do not enable the feature in a program that is not a test. [`bound`] gives a `Bound` to any code, which is the
//! opposite of what the attribute guarantees.
//!
//! Nothing here changes the environment of the process, installs signal handlers, or ends the process. Any number of
//! tests can run at the same time.

// Read the files in this order: `scratch` (a directory that is removed), `bound` (`bound`), `daemon` (`launch`),
// `error`.

mod bound;
mod daemon;
mod error;
mod scratch;

pub use bound::bound;
pub use daemon::{LaunchBuilder, RunningDaemon, launch};
pub use error::Error;
