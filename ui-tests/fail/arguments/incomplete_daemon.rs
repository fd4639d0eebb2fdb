use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon(brokered_runtime::)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
