use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd", help = 1)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
