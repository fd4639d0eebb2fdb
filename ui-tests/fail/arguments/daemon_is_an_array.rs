use brokered_runtime::{Bound, Daemon, brokered_daemon};

const DAEMONS: [Daemon; 1] = [Daemon::new("indexd")];

#[brokered_daemon(DAEMONS)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
