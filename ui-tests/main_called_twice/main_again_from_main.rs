//! A daemon that is only there so that the real one starts with its state loaded.

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

#[brokered_daemon("decoy")]
fn main(bound: Bound) {
    drop(bound);
    daemon::start();
}
