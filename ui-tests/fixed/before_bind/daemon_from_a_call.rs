use brokered_runtime::{Bound, Daemon, brokered_daemon};

const fn configured() -> Daemon {
    Daemon::new(if cfg!(debug_assertions) { "indexd-debug" } else { "indexd" })
}

#[brokered_daemon(configured())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
