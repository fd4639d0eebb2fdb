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

struct Pair<const FIRST: usize, Second>(Second);

impl<const FIRST: usize, Second: State> State for Pair<FIRST, Second> {
    type Error = Second::Error;

    fn load(bound: &Bound) -> Result<Self, Self::Error> {
        Second::load(bound).map(Self)
    }
}

const FEW: bool = true;

const fn words() -> usize {
    3
}

fn cli<const WORDS: usize>() {}

#[brokered_daemon("types-with-blocks", cli = cli::<{ if FEW { 1 } else { 2 } }>)]
fn main(
    _: Bound,
    _: Index<{ words() }>,
    _: Index<{ words() + 1 }>,
    _: Pair<{ if cfg!(unix) { 1 } else { 2 } }, Index<{ words(); 1 }>>,
) -> Result<(), [u8; words()]> {
    Ok(())
}
