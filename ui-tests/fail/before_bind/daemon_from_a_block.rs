use brokered_runtime::{Bound, Daemon, brokered_daemon};

const INDEXD: Daemon = Daemon::new("indexd");

fn prepare() {
    println!("before bind");
}

#[brokered_daemon({
    prepare();
    INDEXD
})]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
