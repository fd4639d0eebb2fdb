use brokered_runtime::{Bound, Daemon, brokered_daemon};

trait Identity<A, B> {
    const DAEMON: Daemon;
}

struct Here;

impl Identity<u8, u16> for Here {
    const DAEMON: Daemon = Daemon::new(concat!("expression", "-as-daemon"));
}

#[brokered_daemon(<Here as Identity<u8, u16>>::DAEMON, help = concat!("a ", "text"),)]
fn main(bound: Bound) {
    assert_eq!(bound.instance().daemon().name(), "expression-as-daemon");
}
