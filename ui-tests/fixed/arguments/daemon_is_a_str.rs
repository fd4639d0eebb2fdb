use brokered_runtime::{Bound, Daemon, brokered_daemon};

const NAME: &str = "indexd";

#[brokered_daemon(Daemon::new(NAME))]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
