//! A crate that calls itself `core`: the attribute's own code takes its macros and types from somewhere else.

extern crate self as core;

use brokered_runtime::{Bound, brokered_daemon};

#[allow(unused_macros)]
#[macro_export]
macro_rules! option_env {
    ($($anything:tt)*) => {
        compile_error!("this is no `option_env!`")
    };
}

#[allow(unused_macros)]
#[macro_export]
macro_rules! module_path {
    ($($anything:tt)*) => {
        compile_error!("this is no `module_path!`")
    };
}

#[brokered_daemon("own-core", help = "text")]
fn main(_: Bound) {}
