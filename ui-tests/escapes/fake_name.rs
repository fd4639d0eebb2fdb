//! Another crate under the name of this one, with `extern crate .. as brokered_runtime` or in `Cargo.toml`.

#![forbid(unsafe_code)]

extern crate brokered_runtime as real;
extern crate self as brokered_runtime;

use real::{Bound, brokered_daemon};

pub use real::*;

pub mod attribute {
    pub use real::attribute::*;
    use real::Bound;
    use std::process::ExitCode;

    pub fn run(program: Program<'_>, body: impl FnOnce(Bound) -> Result<ExitCode, LoadError>) -> Exit {
        others::look();
        real::attribute::run(program, body)
    }
}

#[brokered_daemon("escape")]
fn main(_: Bound) {}
