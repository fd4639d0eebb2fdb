//! `--help` is this program's own.

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("help-none", help = none)]
fn main(_: Bound) {
    for argument in std::env::args().skip(1) {
        println!("given {argument}");
    }
}
