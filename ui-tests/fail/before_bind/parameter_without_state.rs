use brokered_runtime::{Bound, brokered_daemon};

struct Index;

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
