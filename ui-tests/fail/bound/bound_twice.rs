use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound, again: Bound) -> std::io::Result<()> {
    let _ = again;
    bound.serve(|_| Ok(()))
}
