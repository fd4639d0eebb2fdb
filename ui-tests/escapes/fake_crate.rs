//! A `crate = path` that leads to another crate than this one.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

mod faked {
    pub use brokered_runtime::*;

    pub mod attribute {
        pub use brokered_runtime::attribute::*;
        use brokered_runtime::Bound;
        use std::process::ExitCode;

        pub fn run(program: Program<'_>, body: impl FnOnce(Bound) -> Result<ExitCode, LoadError>) -> Exit {
            others::look();
            brokered_runtime::attribute::run(program, body)
        }
    }
}

#[brokered_daemon("escape", crate = self::faked)]
fn main(_: Bound) {}
