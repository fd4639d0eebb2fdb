use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Index)
    }
}

fn cli() {
    let _ = <Index as State>::load(Bound::default());
}

#[brokered_daemon("indexd", cli = cli)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
