#![no_implicit_prelude]

use ::brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = ::std::convert::Infallible;

    fn load(_: &Bound) -> ::std::result::Result<Self, Self::Error> {
        ::std::result::Result::Ok(Self)
    }
}

fn cli() {}

#[brokered_daemon("no-implicit-prelude", cli = cli, help = "text")]
fn main(_: Bound, _: Index) {}
