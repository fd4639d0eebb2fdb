//! The steps of a start as bars.
//!
//! `steps` has the data, and where each bar begins; `terminal` and `svg` draw it.

mod steps;
mod svg;
mod terminal;

pub(crate) use steps::{Step, Waterfall};
