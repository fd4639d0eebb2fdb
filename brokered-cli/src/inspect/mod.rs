//! All that is known about an instance, whether or not its daemon answers.
//!
//! `inspection` inspects one instance, `json` is its form for programs, and `parallel` inspects many. `file_system` asks
//! file systems, which may never answer.

mod file_system;
mod inspection;
mod json;
mod parallel;

pub(crate) use file_system::{FileSystem, remote_file_system};
pub(crate) use inspection::{Inspection, State};
pub(crate) use parallel::inspect_all;
