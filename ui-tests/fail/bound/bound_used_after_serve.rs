use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))?;
    bound.serve(|_| Ok(()))
}
