use brokered_runtime::{Bound, Daemon, brokered_daemon};

pub const DAEMON: Daemon = named("const-daemon").contract(2);

const fn named(name: &'static str) -> Daemon {
    Daemon::new(name)
}

#[brokered_daemon(DAEMON)]
fn main(bound: Bound) {
    assert_eq!(bound.instance().daemon(), DAEMON);
}
