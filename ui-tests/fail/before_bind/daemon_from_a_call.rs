use brokered_runtime::{Bound, Daemon, brokered_daemon};

fn configured() -> Daemon {
    let name = std::fs::read_to_string("daemon.toml").unwrap_or_default();
    Daemon::new(if name.is_empty() { "indexd" } else { "other" })
}

#[brokered_daemon(configured())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
