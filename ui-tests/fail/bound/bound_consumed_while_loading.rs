use brokered_runtime::{Bound, State};

struct Index;

impl State for Index {
    type Error = std::io::Error;

    fn load(bound: &Bound) -> Result<Self, Self::Error> {
        bound.serve(|_| Ok(()))?;
        Ok(Index)
    }
}

fn main() {}
