use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
#[target_feature(enable = "avx2")]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
