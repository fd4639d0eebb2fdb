use std::sync::atomic::{AtomicU32, Ordering};

use brokered_runtime::{Bound, Daemon, brokered_daemon};

static CONTRACT: AtomicU32 = AtomicU32::new(1);

#[brokered_daemon(Daemon::new("indexd").contract(CONTRACT.load(Ordering::Relaxed)))]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
