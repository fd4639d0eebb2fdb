use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: std::collections::HashMap<String, u64>) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
