//! A `cli` that ends in [`Instance::exec`]. The daemon is then another program in the same process. What `cli` did
//! before can be passed on in a file or in the environment.

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
