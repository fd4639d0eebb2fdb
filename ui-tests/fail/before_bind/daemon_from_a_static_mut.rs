use brokered_runtime::{Bound, Daemon, brokered_daemon};

static mut DAEMON: Daemon = Daemon::new("indexd");

#[brokered_daemon(unsafe { DAEMON })]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
