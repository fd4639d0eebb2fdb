use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::io::Error;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Index)
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
