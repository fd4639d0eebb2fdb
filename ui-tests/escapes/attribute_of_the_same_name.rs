//! Another attribute that is imported under the name `brokered_daemon`.

#![forbid(unsafe_code)]

use statements::main_of_its_own as brokered_daemon;

#[brokered_daemon("escape")]
fn main(_: Bound) {}
