use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Index)
    }
}

#[brokered_daemon("indexd")]
fn main(index: Index) {
    let _ = index;
}
