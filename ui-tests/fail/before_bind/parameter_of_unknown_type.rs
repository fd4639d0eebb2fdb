use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
