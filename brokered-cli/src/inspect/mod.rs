//! All that is known about an instance, whether or not its daemon answers.
//!
//! `inspection` inspects one instance, `json` is its form for programs, and `parallel` inspects many.

mod inspection;
mod json;
mod parallel;

pub(crate) use inspection::{Inspection, State};
pub(crate) use parallel::inspect_all;
