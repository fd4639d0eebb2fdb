use brokered_runtime::{Bound, State};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Index)
    }
}

fn main() {
    let _ = Index::load();
}
