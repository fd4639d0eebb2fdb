use brokered_runtime::{Bound, State, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: impl State) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
