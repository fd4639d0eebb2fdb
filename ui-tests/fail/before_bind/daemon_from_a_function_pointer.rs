use brokered_runtime::{Bound, Daemon, brokered_daemon};

fn make() -> Daemon {
    println!("before bind");
    Daemon::new("indexd")
}

const MAKE: fn() -> Daemon = make;

#[brokered_daemon(MAKE())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
