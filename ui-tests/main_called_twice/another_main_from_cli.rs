//! The same with two daemons: the one at the root is only there so that the other one is believed.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, brokered_daemon};

mod daemon {
    use super::*;

    pub(super) fn start() {
        println!("before bind");
        let _ = main();
    }

    #[brokered_daemon("stopped")]
    fn main(_: Bound) {
        println!("reached");
    }
}

#[brokered_daemon("decoy", cli = daemon::start)]
fn main(_: Bound) {}
