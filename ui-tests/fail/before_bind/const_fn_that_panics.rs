use brokered_runtime::{Bound, Daemon, brokered_daemon};

const fn versioned(version: u32) -> Daemon {
    assert!(version > 0, "there was never a version 0");
    Daemon::new("indexd").contract(version)
}

#[brokered_daemon(versioned(0))]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
