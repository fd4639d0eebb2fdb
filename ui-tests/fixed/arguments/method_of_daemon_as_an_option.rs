use brokered_runtime::{Bound, Daemon, brokered_daemon};

pub const INDEXD: Daemon = Daemon::new("indexd").per_directory();

#[brokered_daemon(INDEXD)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
