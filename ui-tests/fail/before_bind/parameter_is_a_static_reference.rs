use brokered_runtime::{Bound, brokered_daemon};

struct Index;

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: &'static Index) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
