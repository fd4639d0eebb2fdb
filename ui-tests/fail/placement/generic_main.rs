use brokered_runtime::{Bound, State, brokered_daemon};

#[brokered_daemon("indexd")]
fn main<S: State>(bound: Bound, state: S) -> std::io::Result<()> {
    let _ = state;
    bound.serve(|_| Ok(()))
}
