use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn start(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}

fn main() {}
