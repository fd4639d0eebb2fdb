use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    let second: Bound = bound.clone();
    let _ = second;
    bound.serve(|_| Ok(()))
}
