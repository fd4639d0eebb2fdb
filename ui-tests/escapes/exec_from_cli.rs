//! A `cli` that ends in [`Instance::exec`]: the daemon is a new program then, and yet the same process. What was done
//! before is done, and can be handed on in a file or the environment.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, Daemon, brokered_daemon};

const DAEMON: Daemon = Daemon::new("escape");

fn cli() {
    others::look();
    let failed = DAEMON.instance().env("INDEX", "loaded").exec();
    panic!("{failed:?}");
}

#[brokered_daemon(DAEMON, cli = cli)]
fn main(_: Bound) {
    assert_eq!(std::env::var("INDEX").as_deref(), Ok("loaded"));
}
