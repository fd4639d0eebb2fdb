use brokered_runtime::{Bound, State, brokered_daemon};

struct Index<const WORDS: usize>;

impl<const WORDS: usize> State for Index<WORDS> {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

fn words() -> usize {
    println!("before bind");
    3
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: Index<{ words() }>) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
