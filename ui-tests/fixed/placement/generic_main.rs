use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::io::Error;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Index)
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, state: Index) -> std::io::Result<()> {
    let _ = state;
    bound.serve(|_| Ok(()))
}
