use brokered_runtime::{Bound, Daemon, brokered_daemon};

#[brokered_daemon(async { Daemon::new("indexd") }.await)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
