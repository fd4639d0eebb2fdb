//! The guide: one page for each task.
//!
//! [The front page](crate) shows a daemon and a client, and lists these pages.
//! The modules are empty; they hold documentation only.

// The pages link to items by their bare names.
#[cfg(doc)]
use crate::*;

#[doc = include_str!("../docs/guide-daemons.md")]
pub mod daemons {}

#[doc = include_str!("../docs/guide-states.md")]
pub mod states {}

#[doc = include_str!("../docs/guide-clients.md")]
pub mod clients {}

#[doc = include_str!("../docs/guide-failures.md")]
pub mod failures {}

#[doc = include_str!("../docs/guide-files.md")]
pub mod files {}

#[doc = include_str!("../docs/guide-operation.md")]
pub mod operation {}

#[doc = include_str!("../docs/guide-shutdown.md")]
pub mod shutdown {}

// The programs are ignored here, because this crate does not depend on servers. The package `server-tests` runs them.
#[doc = include_str!("../docs/guide-servers.md")]
#[doc = concat!("# axum\n\n```rust,ignore\n", include_str!("../docs/servers/axum.rs"), "```\n\n")]
#[doc = concat!("# hyper\n\n```rust,ignore\n", include_str!("../docs/servers/hyper.rs"), "```\n\n")]
#[doc = concat!("# tonic\n\n```rust,ignore\n", include_str!("../docs/servers/tonic.rs"), "```\n\n")]
pub mod servers {}

#[doc = include_str!("../docs/guide-tests.md")]
#[cfg_attr(
    feature = "testing",
    doc = include_str!("../docs/guide-tests-example.md")
)]
pub mod tests {}

#[doc = include_str!("../docs/guide-startup.md")]
#[doc = concat!("```text\n", include_str!("../docs/startup-by-hand.txt"), "```\n\n")]
#[doc = include_str!("../docs/guide-launched.md")]
#[doc = concat!("```text\n", include_str!("../docs/startup-launched.txt"), "```\n\n")]
#[doc = include_str!("../docs/guide-checked.md")]
pub mod startup {}

#[doc = include_str!("../docs/guide-limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/guide-platforms.md")]
pub mod platforms {}

/// The examples of the package's README are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
