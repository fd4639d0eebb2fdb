use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    let _ = bound.handle();
    bound.serve(|_| Ok(()))
}
