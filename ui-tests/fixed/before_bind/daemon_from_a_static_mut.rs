use brokered_runtime::{Bound, Daemon, brokered_daemon};

static DAEMON: Daemon = Daemon::new("indexd");

#[brokered_daemon(DAEMON)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
