use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon(unsafe { std::mem::zeroed() })]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
