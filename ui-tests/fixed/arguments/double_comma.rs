use brokered_runtime::{Bound, brokered_daemon};

pub fn cli() {}

#[brokered_daemon("indexd", cli = cli)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
