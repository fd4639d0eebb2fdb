//! The daemon's side, from the start of the process to its end.
//!
//! Read the files in this order, which is that of the protocol's steps:
//!
//! 1. `run`: the role of the process, then its start, its `main` and its end. The attribute's `main` calls it.
//!    `program` is what the attribute passes, and `help` answers `--help` and `--version`. Where a panic ends the
//!    process, `panic_hook` records it, by the `thread_role` of its thread.
//! 2. `start`: steps 0 to 4, for each kind of starter. It uses
//!    - `adopt`: step 0, reset what was inherited; step 1, adopt the hand-off from a launcher;
//!    - `activation`: step 1 under a service manager, socket activation;
//!    - `acquire`: step 2, take the instance lock; step 3, bind the endpoint;
//!    - `error`: why a daemon did not start, and its exit code;
//!    - `announce`: the message on a terminal.
//! 3. `lifecycle`: what the threads of the daemon share. Step 4, the record, is here. Its parts are
//!    - `readiness` (the phase), `failure`, `report` (counters and progress), `idle` and `connections`;
//!    - `owned_files`: the record, the endpoints and the lock;
//!    - `descriptor_reserve`: descriptors for the time when clients hold all others;
//!    - `starter` and `service_manager`: notifications; `waiting_clients`: waiters on the control endpoint;
//!    - `stopping` and `drained`, each on a `latch`: the flags that tell when the daemon shuts down, and when its
//!      clients have had their chance. `settling`, with `tracked_streams`, sets the second one;
//!    - `reload_queue`: which reload is under way, and who works on it.
//! 4. `supervisor`: the supervisor thread, which handles signals and the end. With it, step 5: `control_server`. It looks
//!    at the directory of the instance with `project_directory`, and starts the thread that rotates the log,
//!    `log_rotation`. Both look on threads of their own, because a look can block.
//! 5. `state` and `background`: step 6, load the states.
//! 6. `bound`, `handle`, `guards` and `reload`: step 7, what `main` receives. It accepts clients with `serve`, on
//!    `incoming`, or with `tokio_listener`.
//!
//! Besides, `bounded_print` prints on the supervisor thread, `lock_until` locks a mutex that the calling thread may hold, `trace` has the spans for the feature `tracing`,
//! and `unsupervised` is the daemon of a unit test.
//!
//! No two files import each other, and none imports `launch`: `tests/architecture.rs` checks both.

pub(crate) mod acquire;
mod activation;
pub(crate) mod adopt;
mod announce;
mod background;
mod bound;
mod bounded_print;
mod connections;
mod control_server;
mod descriptor_reserve;
mod drained;
pub(crate) mod error;
mod failure;
mod guards;
mod handle;
mod help;
mod idle;
mod incoming;
mod latch;
mod lifecycle;
mod lock_until;
mod log_rotation;
mod owned_files;
mod panic_hook;
mod program;
mod project_directory;
mod readiness;
mod reload;
mod reload_queue;
mod report;
pub(crate) mod run;
mod serve;
mod service_manager;
mod settling;
mod start;
mod starter;
pub(crate) mod state;
mod stopping;
mod supervisor;
mod thread_role;
#[cfg(feature = "tokio")]
mod tokio_listener;
mod trace;
#[cfg(feature = "tokio")]
mod tracked_streams;
#[cfg(feature = "testing")]
pub(crate) mod unsupervised;
mod waiting_clients;

pub use background::Background;
pub use bound::Bound;
pub use drained::Drained;
pub use guards::{ConnectionGuard, ReadinessGuard};
pub use handle::Handle;
pub use incoming::Incoming;
pub use reload::{Reload, Reloads};
pub use state::State;
pub use stopping::Stopping;
#[cfg(feature = "tokio")]
pub use tokio_listener::{TokioListener, TokioStream};
