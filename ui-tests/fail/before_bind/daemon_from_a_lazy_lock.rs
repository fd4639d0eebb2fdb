use std::sync::LazyLock;

use brokered_runtime::{Bound, Daemon, brokered_daemon};

static DAEMON: LazyLock<Daemon> = LazyLock::new(|| {
    println!("read before bind");
    Daemon::new("indexd")
});

#[brokered_daemon(*DAEMON)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
