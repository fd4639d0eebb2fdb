use brokered_runtime::{Bound, brokered_daemon};

fn cli(bound: Bound) {
    let _ = bound;
}

#[brokered_daemon("indexd", cli = cli)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
