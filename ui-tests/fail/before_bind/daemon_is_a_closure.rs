use brokered_runtime::{Bound, Daemon, brokered_daemon};

#[brokered_daemon(|| Daemon::new("indexd"))]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
