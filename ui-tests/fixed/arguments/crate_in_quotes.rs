use brokered_runtime as renamed;
use renamed::{Bound, brokered_daemon};

#[brokered_daemon("indexd", crate = renamed)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
