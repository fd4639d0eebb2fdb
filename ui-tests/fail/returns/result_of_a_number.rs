use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> Result<i32, std::io::Error> {
    bound.serve(|_| Ok(()))?;
    Ok(0)
}
