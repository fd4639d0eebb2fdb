use brokered_runtime::{Bound, Daemon, brokered_daemon};

const INDEXD: Daemon = Daemon::new("indexd");

#[brokered_daemon(INDEXD, contract = 2)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
