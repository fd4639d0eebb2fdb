//! Types that the compiler computes.

use std::convert::Infallible;

use brokered_runtime::{Bound, State, brokered_daemon};

struct Index<const WORDS: usize>;

impl<const WORDS: usize> State for Index<WORDS> {
    type Error = Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

const fn words() -> usize {
    3
}

#[brokered_daemon("types-with-blocks")]
fn main(_: Bound, _: Index<{ words() }>, _: Index<{ words() + 1 }>) -> Result<(), [u8; words()]> {
    Ok(())
}
