use brokered_runtime::{Bound, Daemon, brokered_daemon};

const INDEXD: Daemon = Daemon::new("indexd");

#[brokered_daemon(INDEXD)]
fn main(bound: Bound) -> std::io::Result<()> {
    println!("after bind");
    bound.serve(|_| Ok(()))
}
