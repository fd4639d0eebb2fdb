use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound, path: &str) -> Result<Self, Self::Error> {
        let _ = path;
        Ok(Index)
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
