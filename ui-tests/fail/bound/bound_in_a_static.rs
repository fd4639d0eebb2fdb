use std::sync::OnceLock;

use brokered_runtime::{Bound, State, brokered_daemon};

static BOUND: OnceLock<Bound> = OnceLock::new();

struct Index;

impl State for Index {
    type Error = std::io::Error;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        if let Some(bound) = BOUND.get() {
            bound.serve(|_| Ok(()))?;
        }
        Ok(Index)
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index) {
    let _ = (BOUND.set(bound), index);
}
