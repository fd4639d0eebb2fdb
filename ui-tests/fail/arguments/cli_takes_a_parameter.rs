use brokered_runtime::{Bound, brokered_daemon};

fn cli(verbose: bool) {
    let _ = verbose;
}

#[brokered_daemon("indexd", cli = cli)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
