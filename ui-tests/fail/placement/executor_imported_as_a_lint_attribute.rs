use brokered_runtime::{Bound, brokered_daemon};
use tokio::main as expect;

#[brokered_daemon("indexd")]
#[expect(unused_mut)]
fn main(mut bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
