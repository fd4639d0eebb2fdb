use brokered_runtime::{Bound, Daemon, brokered_daemon};

const fn daemon() -> Daemon {
    Daemon::new("indexd")
}

#[brokered_daemon(daemon)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
