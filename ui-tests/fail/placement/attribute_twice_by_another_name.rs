use brokered_runtime::{Bound, brokered_daemon, brokered_daemon as daemon};

#[brokered_daemon("indexd")]
#[daemon("other")]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
