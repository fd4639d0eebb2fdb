use brokered_runtime::{Bound, Daemon, brokered_daemon};

const CONFIGURED: Option<Daemon> = None;

#[brokered_daemon(CONFIGURED?)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
