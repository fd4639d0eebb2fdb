use brokered_runtime::{Bound, Daemon, brokered_daemon};

const INDEXD: Daemon = Daemon::new("Indexd");

#[brokered_daemon(INDEXD)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
